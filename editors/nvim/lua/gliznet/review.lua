-- The suggestions of a note as a list to pick from: accept one, accept all, reject one.

local client_of = require('gliznet.client')
local percent = require('gliznet.attach').percent

local M = {}

---@class gliznet.Suggestion
---@field label string
---@field title string What the lens says.

--- The labels that fit and are not in the text yet, best first. The server leaves out those that
--- the text has, so its lenses are asked; without lenses, all that fits.
---@param client vim.lsp.Client
---@param buf integer
---@param answered fun(suggestions: gliznet.Suggestion[])
function M.suggestions(client, buf, answered)
  local document = { textDocument = client_of.document(buf) }
  client_of.request(client, 'textDocument/codeLens', document, buf, function(_, lenses)
    local suggestions = {}
    for _, lens in ipairs(lenses or {}) do
      if lens.command and lens.command.command == 'gliznet.accept' then
        local label = lens.command.arguments[1].labels[1]
        local title = lens.command.title:gsub('^%+%s*', '')
        table.insert(suggestions, { label = label, title = title })
      end
    end
    if #(lenses or {}) > 0 then
      return answered(suggestions)
    end
    client_of.request(client, 'gliznet/tag', document, buf, function(_, result)
      for _, tag in ipairs(result and result.tags or {}) do
        if tag.origin == 'model' then
          local title = ('%s %s'):format(tag.label, percent(tag.score))
          table.insert(suggestions, { label = tag.label, title = title })
        end
      end
      answered(suggestions)
    end)
  end)
end

local function told(done)
  return function(err, result)
    if err then
      client_of.tell(err.message, vim.log.levels.ERROR)
    elseif result and result.applied == false then
      client_of.tell('nothing was changed', vim.log.levels.WARN)
    end
    if done then
      done(not err)
    end
  end
end

--- Writes labels into the text, and records that they fit.
---@param client vim.lsp.Client
---@param buf integer
---@param labels string[]
---@param done? fun(ok: boolean)
function M.accept(client, buf, labels, done)
  local argument = { uri = vim.uri_from_bufnr(buf), labels = labels }
  client_of.execute(client, 'gliznet.accept', argument, buf, told(done))
end

--- Writes all suggested labels into the text.
---@param client vim.lsp.Client
---@param buf integer
---@param done? fun(ok: boolean)
function M.accept_all(client, buf, done)
  local argument = { uri = vim.uri_from_bufnr(buf) }
  client_of.execute(client, 'gliznet.acceptAll', argument, buf, told(done))
end

--- Records that labels do not fit; they never come back for this note.
---@param client vim.lsp.Client
---@param buf integer
---@param labels string[]
---@param done? fun(ok: boolean)
function M.reject(client, buf, labels, done)
  local argument = { uri = vim.uri_from_bufnr(buf), labels = labels }
  client_of.execute(client, 'gliznet.reject', argument, buf, told(done))
end

---@param suggestions gliznet.Suggestion[]
local function choices(suggestions)
  local list = {}
  local function add(text, run)
    table.insert(list, { text = text, run = run })
  end
  for _, suggestion in ipairs(suggestions) do
    add('+ ' .. suggestion.title, function(client, buf, done)
      M.accept(client, buf, { suggestion.label }, done)
    end)
  end
  if #suggestions > 1 then
    add('+ all ' .. #suggestions, M.accept_all)
  end
  for _, suggestion in ipairs(suggestions) do
    add(('- never %s here'):format(suggestion.label), function(client, buf, done)
      M.reject(client, buf, { suggestion.label }, done)
    end)
  end
  return list
end

--- Shows the list. With `again`, goes on until nothing is left or the user leaves.
---@param buf integer
---@param options? { again?: boolean }
function M.open(buf, options)
  local again = options and options.again
  local client = client_of.of(buf)
  if not client then
    return
  end
  M.suggestions(client, buf, function(suggestions)
    if #suggestions == 0 then
      return client_of.tell(again == 'more' and 'all suggestions are reviewed' or 'no suggestions')
    end
    vim.ui.select(choices(suggestions), {
      prompt = 'Tags for ' .. vim.fs.basename(vim.api.nvim_buf_get_name(buf)),
      kind = 'gliznet',
      format_item = function(choice)
        return choice.text
      end,
    }, function(choice)
      if not choice then
        return
      end
      choice.run(client, buf, function(ok)
        if ok and again then
          M.open(buf, { again = 'more' })
        end
      end)
    end)
  end)
end

return M
