-- The server that serves a buffer, and questions to it. The only file that knows how Neovim 0.10
-- differs: there a client's functions do not take the client.

local M = {}

-- Longer than any answer takes, short enough to be borne at a command line.
local PATIENCE_MS = 2000
local CONTENT_MODIFIED = -32801
-- What the server says where it, or we, found an edit to be for an older text. Nothing was
-- recorded then.
M.CHANGED = 'changed meanwhile'
local UNKNOWN = 'the server does not know this note; `:edit` opens it for it again'

--- The server of a buffer; nil where there is none.
---@param buf integer
---@return vim.lsp.Client?
function M.of(buf)
  return vim.lsp.get_clients({ bufnr = buf, name = 'gliznet' })[1]
end

--- Asks. Where the text changed meanwhile, asks again.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param buf integer
---@param answered fun(err: lsp.ResponseError?, result: any)
function M.request(client, method, params, buf, answered)
  local attempts = 0
  local ask
  local function handler(err, result)
    if not vim.api.nvim_buf_is_valid(buf) then
      return -- The note was closed meanwhile; nobody waits for the answer.
    end
    local has_changed = err
      and (err.code == CONTENT_MODIFIED or (err.message or ''):find(M.CHANGED, 1, true))
    if has_changed and attempts < 3 then
      return ask()
    end
    if err and (err.message or ''):find('is not open; send', 1, true) then
      -- The server's words are for who writes a client.
      err = vim.tbl_extend('force', err, { message = UNKNOWN })
    end
    answered(err, result)
  end
  function ask()
    attempts = attempts + 1
    local sent
    if vim.fn.has('nvim-0.11') == 1 then
      sent = client:request(method, params, handler, buf)
    else
      sent = client.request(method, params, handler, buf)
    end
    if not sent then
      answered({ code = 0, message = 'the server has ended; `:edit` starts it again' })
    end
  end
  ask()
end

--- Tells the server something.
---@param client vim.lsp.Client
---@param method string
---@param params table
function M.notify(client, method, params)
  if vim.fn.has('nvim-0.11') == 1 then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

--- Asks and waits; nil where no answer came in time.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param buf integer
---@return any
function M.ask(client, method, params, buf)
  local done, answer = false, nil
  M.request(client, method, params, buf, function(_, result)
    done, answer = true, result
  end)
  vim.wait(PATIENCE_MS, function()
    return done
  end, 5)
  return answer
end

--- The document of a buffer, as requests name it.
---@param buf integer
---@return { uri: string }
function M.document(buf)
  return { uri = vim.uri_from_bufnr(buf) }
end

--- Runs one of the server's commands.
---@param client vim.lsp.Client
---@param command string
---@param argument table
---@param buf integer
---@param answered fun(err: lsp.ResponseError?, result: any)
function M.execute(client, command, argument, buf, answered)
  local params = { command = command, arguments = { argument } }
  M.request(client, 'workspace/executeCommand', params, buf, answered)
end

--- Tells the user.
---@param text string
---@param level? integer
function M.tell(text, level)
  vim.notify('gliznet: ' .. text, level or vim.log.levels.INFO, { title = 'GliZNet' })
end

return M
