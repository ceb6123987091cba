-- The suggestions of a note as a list to pick from: accept one, accept all, reject one.

local attach = require('gliznet.attach')
local client_of = require('gliznet.client')

local M = {}

---@class gliznet.Suggestion
---@field label string
---@field title string Label and score, as the lens shows them.

local INVOKED = 1

--- The labels that a code action of our server adds. They stand in its command, or in what it is
--- resolved by.
---@param action lsp.CodeAction
---@return string[]
local function labels_of(action)
  local plan = vim.tbl_get(action, 'data', 'accept', 'labels')
  local record = vim.tbl_get(action, 'command', 'command') == 'gliznet.record'
  return plan or record and action.command.arguments[1].accepted or {}
end

--- The labels that fit and are not in the text yet, best first. What the text has is left out by
--- the server, so its code actions are asked; they are there where lenses are turned off, too.
---@param client vim.lsp.Client
---@param buf integer
---@param answered fun(suggestions: gliznet.Suggestion[])
function M.suggestions(client, buf, answered)
  local start = { line = 0, character = 0 }
  local params = {
    textDocument = client_of.document(buf),
    range = { start = start, ['end'] = start },
    context = { diagnostics = {}, only = { 'quickfix' }, triggerKind = INVOKED },
  }
  client_of.request(client, 'textDocument/codeAction', params, buf, function(err, actions)
    if err then
      return client_of.tell(err.message, vim.log.levels.ERROR)
    end
    local suggestions, seen = {}, {}
    for _, action in ipairs(actions or {}) do
      local accepted = labels_of(action)
      local label = accepted[1]
      if #accepted == 1 and not seen[label] then
        seen[label] = true
        local title = action.title:gsub('^Add tag ', '')
        table.insert(suggestions, { label = label, title = title })
      end
    end
    answered(suggestions)
  end)
end

--- Says why nothing is suggested.
---@param client vim.lsp.Client
---@param buf integer
function M.tell_none(client, buf)
  local document = { textDocument = client_of.document(buf) }
  client_of.request(client, 'gliznet/labelsets', document, buf, function(err, sets)
    local fault = err and err.message or sets.current.fault
    if fault then
      return client_of.tell(fault, vim.log.levels.ERROR)
    end
    client_of.tell(attach.is_read(buf) and 'no suggestions' or 'the note is being read; ask again')
  end)
end

--- Says what a person should know of the answer to a command.
---@param done? fun(ok: boolean, verdict?: table)
local function told(done)
  return function(err, verdict)
    if err then
      client_of.tell(err.message, vim.log.levels.ERROR)
    elseif verdict and verdict.unwritten then
      local fact = '%s: remembered for this note; this kind of file has no place for tags'
      client_of.tell(fact:format(table.concat(verdict.accepted, ', ')))
    end
    if done then
      done(not err, verdict)
    end
  end
end

--- Runs a command of a lens or a code action.
---@param command lsp.Command
---@param context { client_id: integer, bufnr: integer }
function M.run(command, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if client then
    local argument = (command.arguments or {})[1] or {}
    client_of.execute(client, command.command, argument, context.bufnr, told())
  end
end

--- Writes labels into the text, and records that they fit.
---@param client vim.lsp.Client
---@param buf integer
---@param labels string[]
---@param done? fun(ok: boolean, verdict?: table)
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

---@class gliznet.Choice
---@field text string
---@field labels string[] The labels that it decides on.
---@field run fun(client: vim.lsp.Client, buf: integer, done: fun(ok: boolean))

---@param suggestions gliznet.Suggestion[]
---@return gliznet.Choice[]
local function choices(suggestions)
  local list, all = {}, {}
  local function add(text, labels, act)
    table.insert(list, {
      text = text,
      labels = labels,
      run = function(client, buf, done)
        act(client, buf, labels, done)
      end,
    })
  end
  for _, suggestion in ipairs(suggestions) do
    table.insert(all, suggestion.label)
    add('+ ' .. suggestion.title, { suggestion.label }, M.accept)
  end
  if #all > 1 then
    add('+ all ' .. #all, all, M.accept)
  end
  for _, suggestion in ipairs(suggestions) do
    add(('- never %s here'):format(suggestion.label), { suggestion.label }, M.reject)
  end
  return list
end

--- Shows the list. With `again`, goes on until nothing is left or the user leaves.
---@param buf integer
---@param options? { again?: boolean }
function M.open(buf, options)
  local client = client_of.of(buf)
  if not client then
    return
  end
  -- What was decided here; the server's next reading of the note may not be there yet.
  local decided = {}

  local function show()
    M.suggestions(client, buf, function(all)
      local suggestions = vim.tbl_filter(function(suggestion)
        return not decided[suggestion.label]
      end, all)
      if #suggestions == 0 then
        if next(decided) then
          return client_of.tell('all suggestions are reviewed')
        end
        return M.tell_none(client, buf)
      end
      vim.ui.select(choices(suggestions), {
        prompt = 'Tags for ' .. vim.fs.basename(vim.api.nvim_buf_get_name(buf)),
        kind = 'gliznet',
        format_item = function(choice)
          return choice.text
        end,
      }, function(choice)
        -- The note may have been closed while the list was open.
        if not choice or not vim.api.nvim_buf_is_valid(buf) then
          return
        end
        choice.run(client, buf, function(ok)
          if ok and options and options.again then
            for _, label in ipairs(choice.labels) do
              decided[label] = true
            end
            show()
          end
        end)
      end)
    end)
  end
  show()
end

return M
