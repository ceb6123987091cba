-- The command `:Gliznet`: what it understands, completes and does.

local attach = require('gliznet.attach')
local client_of = require('gliznet.client')
local review = require('gliznet.review')

local M = {}

---@param lines [string, string?][] Text and highlight group.
local function show(lines)
  local chunks = {}
  for i, line in ipairs(lines) do
    table.insert(chunks, { line[1] .. (i < #lines and '\n' or ''), line[2] })
  end
  vim.api.nvim_echo(chunks, true, {})
end

--- The surest suggestion, for commands that name no tag.
local function surest(client, buf, run)
  review.suggestions(client, buf, function(suggestions)
    if #suggestions == 0 then
      return review.tell_none(client, buf)
    end
    run(suggestions[1].label)
  end)
end

local function accept(client, buf, label)
  review.accept(client, buf, { label }, function(ok, verdict)
    if ok and not verdict.unwritten then
      client_of.tell('accepted ' .. label)
    end
  end)
end

local function reject(client, buf, label)
  review.reject(client, buf, { label }, function(ok)
    if ok then
      client_of.tell('rejected ' .. label)
    end
  end)
end

--- The labels that hold for a note: suggestions first, then the rest of the label set.
local function labels(client, buf)
  local document = { textDocument = client_of.document(buf) }
  local tags = client_of.ask(client, 'gliznet/tag', document, buf) or {}
  local sets = client_of.ask(client, 'gliznet/labelsets', document, buf) or {}
  local names, seen = {}, {}
  local function add(name)
    if not seen[name] then
      seen[name] = true
      table.insert(names, name)
    end
  end
  for _, tag in ipairs(tags.tags or {}) do
    add(tag.label)
  end
  for _, label in ipairs(type(sets.current) == 'table' and sets.current.labels or {}) do
    add(label.name)
  end
  return names
end

---@class gliznet.Command
---@field takes_label? boolean
---@field run fun(client: vim.lsp.Client, buf: integer, label?: string)

---@type table<string, gliznet.Command>
local commands = {
  accept = {
    takes_label = true,
    run = function(client, buf, label)
      if label then
        return accept(client, buf, label)
      end
      surest(client, buf, function(name)
        accept(client, buf, name)
      end)
    end,
  },
  ['accept-all'] = { run = review.accept_all },
  reject = {
    takes_label = true,
    run = function(client, buf, label)
      if label then
        return reject(client, buf, label)
      end
      surest(client, buf, function(name)
        reject(client, buf, name)
      end)
    end,
  },
  pick = {
    run = function(_, buf)
      review.open(buf)
    end,
  },
  tags = {
    run = function(client, buf)
      local document = { textDocument = client_of.document(buf) }
      client_of.request(client, 'gliznet/tag', document, buf, function(err, result)
        if err then
          return client_of.tell(err.message, vim.log.levels.ERROR)
        end
        local lines = {}
        for _, tag in ipairs(result.tags) do
          local origin = tag.origin == 'model' and '' or ('  (%s)'):format(tag.origin)
          local present = tag.present and '  (in the note)' or ''
          local line = ('%6s  %s%s%s'):format(attach.percent(tag.score), tag.label, origin, present)
          table.insert(lines, { line })
        end
        if #lines == 0 then
          return client_of.tell('no tag fits')
        end
        show(lines)
      end)
    end,
  },
  status = {
    run = function(client, buf)
      client_of.request(client, 'gliznet/status', vim.empty_dict(), buf, function(err, status)
        if err then
          return client_of.tell(err.message, vim.log.levels.ERROR)
        end
        local model, journal = status.model, status.journal
        local lines = {
          { ('gliznet %s, process %d'):format(status.version, status.pid), 'Title' },
          {
            ('model    %s, %s, %s'):format(model.name or 'none', model.device or '-', model.state),
          },
          {
            ('clients  %d, %d requests wait, %d in the background'):format(
              status.clients,
              status.queue,
              status.background
            ),
          },
          {
            ('cache    %d answers, %.1f MB'):format(status.cache.entries, status.cache.bytes / 1e6),
          },
          { ('journal  %d corrections'):format(journal.corrections) },
          { ('memory   %.0f MB'):format(status.memory / 1e6) },
        }
        for _, fault in ipairs({ model.fault, journal.fault }) do
          table.insert(lines, { fault, 'ErrorMsg' })
        end
        show(lines)
      end)
    end,
  },
}

local NAMES = { 'accept', 'accept-all', 'pick', 'reject', 'status', 'tags' }

--- Runs `:Gliznet` with these words. A tag may have blanks, so all that follows is one tag.
---@param words string[]
function M.run(words)
  local name = words[1]
  local label = #words > 1 and table.concat(words, ' ', 2) or nil
  local command = commands[name or '']
  if not command then
    local fact = name and ('there is no `:Gliznet %s`'):format(name) or 'say what to do'
    local known = table.concat(NAMES, ', ')
    return client_of.tell(('%s; there are %s'):format(fact, known), vim.log.levels.ERROR)
  end
  if label and not command.takes_label then
    local fact = ('`:Gliznet %s` takes no tag'):format(name)
    return client_of.tell(fact, vim.log.levels.ERROR)
  end
  local buf = vim.api.nvim_get_current_buf()
  local client = client_of.of(buf)
  -- Whose own `root_dir` starts us without a name, gets edits that find no buffer.
  local is_served = client or attach.waits_for_name(buf)
  if is_served and vim.api.nvim_buf_get_name(buf) == '' then
    return client_of.tell('the note has no name yet; `:write` it first', vim.log.levels.ERROR)
  end
  if not client then
    local fact = 'it does not serve this buffer; `:checkhealth gliznet` says why'
    return client_of.tell(fact, vim.log.levels.ERROR)
  end
  command.run(client, buf, label)
end

local function starting_with(list, prefix)
  return vim.tbl_filter(function(item)
    return vim.startswith(item:lower(), prefix:lower())
  end, list)
end

--- What may follow a command line that ends at the cursor.
---@param line string
---@return string[]
function M.complete(line)
  local rest = line:match('Gliznet!?%s+(.*)$') or ''
  local name, label = rest:match('^(%S+)%s+(.*)$')
  if not name then
    return starting_with(NAMES, rest)
  end
  local buf = vim.api.nvim_get_current_buf()
  local client = client_of.of(buf)
  if not client or not (commands[name] or {}).takes_label then
    return {}
  end
  -- Only the last word is replaced, so of a tag with blanks only the rest is offered.
  local kept = #label:match('^(.-)%S*$')
  local rests = {}
  for _, found in ipairs(starting_with(labels(client, buf), label)) do
    table.insert(rests, found:sub(kept + 1))
  end
  return rests
end

return M
