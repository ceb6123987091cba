-- What happens in a buffer that the server serves: lenses are shown, tags are remembered, edits are
-- taken only where they fit.

local client_of = require('gliznet.client')

local M = {}

---@class gliznet.Tag
---@field label string
---@field score number|vim.NIL None where the model could not score a tag that a person accepted.
---@field origin 'model'|'memory'|'you'
---@field present boolean The note has it already.

---@type table<integer, gliznet.Tag[]> The tags that fit, by buffer.
local tags_of = {}
---@type table<integer, string> The names that the server knows, by buffer.
local uri_of = {}
---@type table<integer, true?> Buffers that would be served, had they a name.
local nameless = {}

-- Since 0.12 Neovim asks for lenses by itself, and draws them above the line.
local draws_by_itself = vim.lsp.codelens.enable ~= nil

-- What lenses and code actions run. Neovim would run them too, but say nothing of the answer.
local VERDICTS =
  { 'gliznet.accept', 'gliznet.acceptAll', 'gliznet.addFrontMatter', 'gliznet.record' }

---@param client vim.lsp.Client
---@param buf integer
function M.attach(client, buf)
  vim.lsp.commands['gliznet.review'] = function(command, context)
    local argument = (command.arguments or {})[1] or {}
    local of = argument.uri and vim.uri_to_bufnr(argument.uri) or context.bufnr
    require('gliznet.review').open(of, { again = true })
  end
  for _, name in ipairs(VERDICTS) do
    vim.lsp.commands[name] = function(command, context)
      require('gliznet.review').run(command, context)
    end
  end
  uri_of[buf] = vim.uri_from_bufnr(buf)

  local group = vim.api.nvim_create_augroup('gliznet.buffer', { clear = false })
  vim.api.nvim_clear_autocmds({ group = group, buffer = buf })
  vim.api.nvim_create_autocmd('LspDetach', {
    group = group,
    buffer = buf,
    callback = function(event)
      if event.data.client_id == client.id then
        tags_of[buf], uri_of[buf] = nil, nil
        vim.api.nvim_clear_autocmds({ group = group, buffer = buf })
      end
    end,
  })

  if draws_by_itself then
    vim.lsp.codelens.enable(true, { bufnr = buf })
  else
    vim.lsp.codelens.refresh({ bufnr = buf })
    vim.api.nvim_create_autocmd({ 'TextChanged', 'InsertLeave' }, {
      group = group,
      buffer = buf,
      callback = function()
        vim.lsp.codelens.refresh({ bufnr = buf })
      end,
    })
  end
end

--- Whether a buffer has a name. Without one it is not served: its URI would be that of all others
--- without a name, and Neovim would put edits into the list of the root folder.
---@param buf integer
---@return boolean
function M.is_named(buf)
  nameless[buf] = vim.api.nvim_buf_get_name(buf) == '' or nil
  return not nameless[buf]
end

--- Whether a buffer is not served because it has no name.
---@param buf integer
---@return boolean
function M.waits_for_name(buf)
  return nameless[buf] ~= nil
end

--- Starts the server for a buffer that was kept out, as its filetype did.
local function start(buf)
  vim.api.nvim_buf_call(buf, function()
    for _, group in ipairs({ 'nvim.lsp.enable', 'gliznet.start' }) do
      if vim.fn.exists(('#%s#FileType'):format(group)) == 1 then
        vim.cmd.doautocmd({ args = { '<nomodeline>', group, 'FileType' } })
      end
    end
  end)
end

--- Opens a buffer anew for the server, where it has another name than the server knows, or none
--- until now.
---@param buf integer
function M.renamed(buf)
  if nameless[buf] and vim.api.nvim_buf_is_loaded(buf) and M.is_named(buf) then
    return start(buf)
  end
  local known = uri_of[buf]
  if not known or not vim.api.nvim_buf_is_loaded(buf) or known == vim.uri_from_bufnr(buf) then
    return
  end
  local client = client_of.of(buf)
  if client then
    client_of.notify(client, 'textDocument/didClose', { textDocument = { uri = known } })
    vim.lsp.buf_detach_client(buf, client.id)
    vim.lsp.buf_attach_client(buf, client.id)
  end
end

--- The buffer of a document; nil where this client has it not.
---@param client_id integer
---@param uri string
---@return integer?
local function buffer_of(client_id, uri)
  local client = vim.lsp.get_client_by_id(client_id)
  for buf in pairs(client and client.attached_buffers or {}) do
    if vim.api.nvim_buf_is_valid(buf) and vim.uri_from_bufnr(buf) == uri then
      return buf
    end
  end
end

--- Handler of `gliznet/tagsChanged`.
function M.tags_changed(err, params, context)
  local buf = not err and buffer_of(context.client_id, params.uri)
  if not buf then
    return
  end
  tags_of[buf] = params.tags
  if not draws_by_itself then
    vim.lsp.codelens.refresh({ bufnr = buf })
  end
  vim.api.nvim_exec_autocmds('User', {
    pattern = 'GliznetTagsChanged',
    data = { buf = buf, tags = params.tags },
  })
  vim.cmd.redrawstatus({ bang = true })
end

--- Handler of `workspace/applyEdit`. Neovim's own says `applied` of an edit that came too late and
--- was left out; the server would then record a tag that nobody has.
function M.apply_edit(err, params, context, ...)
  for _, change in ipairs(params.edit.documentChanges or {}) do
    local document = change.textDocument
    local version = document and document.version
    if type(version) == 'number' then
      local buf = buffer_of(context.client_id, document.uri)
      if not buf then
        -- Neovim would load it again, and leave it changed where nobody looks.
        return { applied = false, failureReason = 'the note is closed' }
      end
      if vim.lsp.util.buf_versions[buf] ~= version then
        return { applied = false, failureReason = 'the text ' .. client_of.CHANGED }
      end
      if not vim.bo[buf].modifiable then
        return { applied = false, failureReason = 'the buffer cannot be changed' }
      end
    end
  end
  return vim.lsp.handlers['workspace/applyEdit'](err, params, context, ...)
end

--- The tags that fit a buffer, best first, as the server last told them.
---@param buf? integer
---@return gliznet.Tag[]
function M.tags(buf)
  buf = (buf and buf ~= 0) and buf or vim.api.nvim_get_current_buf()
  return tags_of[buf] or {}
end

--- Whether the server has read a buffer.
---@param buf integer
---@return boolean
function M.is_read(buf)
  return tags_of[buf] ~= nil
end

--- A score as people read it.
---@param score number|vim.NIL
---@return string
function M.percent(score)
  return score == vim.NIL and '' or ('%.0f %%'):format(score * 100)
end

return M
