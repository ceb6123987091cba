-- `:checkhealth gliznet`.

local M = {}

local health = vim.health

-- What `vim.system` gives where the patience was over.
local TOO_LATE = 124

--- Output and exit code of the program; nil where it cannot be started.
---@param words string[]
---@param folder? string Where it runs; default: where the editor does.
local function run(words, folder)
  local ok, process = pcall(vim.system, words, { text = true, cwd = folder })
  if not ok then
    return nil
  end
  -- The commands asked for here end at once; none starts a daemon.
  local result = process:wait(5000)
  local text = vim.trim((result.stdout or '') .. (result.stderr or ''))
  return { text = text, code = result.code }
end

--- Where the language client writes what went wrong.
---@return string
local function log_file()
  local log = vim.lsp.log
  return log and log.get_filename and log.get_filename() or vim.lsp.get_log_path()
end

local function editor()
  health.start('Neovim')
  local version = tostring(vim.version())
  if vim.lsp.enable then
    health.ok(version)
  elseif vim.fn.has('nvim-0.10') == 1 then
    health.ok(version .. ", which needs `require('gliznet').setup()`")
  else
    health.error(version .. ' is too old', { 'install Neovim 0.10 or newer' })
  end
end

---@return string[]? command
local function configured()
  if not vim.lsp.enable then
    local started = require('gliznet').config
    return started and started.cmd
  end
  local config = vim.lsp.config.gliznet
  local is_enabled = vim.lsp.is_enabled and vim.lsp.is_enabled('gliznet')
  if vim.lsp.is_enabled and not is_enabled then
    return nil
  end
  return config and config.cmd
end

--- What a program said, as advice.
local function said(result)
  return result and result.text ~= '' and { result.text } or nil
end

--- The folder of a note that is open. The editor may have been started anywhere, and what the
--- doctor says of labels is meant for a folder.
---@return string?
local function folder_of_notes()
  local client = vim.lsp.get_clients({ name = 'gliznet' })[1]
  local buf = client and next(client.attached_buffers)
  local folder = buf and vim.fs.dirname(vim.api.nvim_buf_get_name(buf))
  return folder and vim.fn.isdirectory(folder) == 1 and folder or nil
end

---@param path string
local function daemon(path)
  health.start('The daemon')
  local doctor = run({ path, 'doctor' }, folder_of_notes())
  local findings = 0
  for line in vim.gsplit(doctor and doctor.text or '', '\n') do
    local class, text = line:match('^(%S+)%s+(.*)$')
    local say = ({ ok = health.ok, notice = health.warn, problem = health.error })[class]
    if say then
      findings = findings + 1
      say(text)
    elseif vim.trim(line) ~= '' then
      health.info(line)
    end
  end
  -- Code 1 says that there are problems, which are listed.
  if not doctor or doctor.code > 1 or findings == 0 then
    local why = doctor and doctor.code == TOO_LATE and 'does not end' or 'finds nothing out'
    health.error(('`%s doctor` %s'):format(path, why), { 'run it in a terminal' })
  end
end

local function program()
  health.start('The program')
  local client = vim.lsp.get_clients({ name = 'gliznet' })[1]
  local command = client and client.config.cmd or configured()
  if not command then
    health.warn('the server is not enabled', {
      "Neovim 0.11 and newer: vim.lsp.enable('gliznet')",
      "Neovim 0.10: require('gliznet').setup()",
    })
    command = { 'gliznet' }
  end
  if type(command) ~= 'table' then
    return health.info('`cmd` is a function, which cannot be checked')
  end
  local path = vim.fn.exepath(command[1])
  if path == '' then
    return health.error(('there is no program `%s`'):format(command[1]), {
      'install it, and put it on the PATH',
      "or name it by its whole path: vim.lsp.config('gliznet', { cmd = { '/path/to/gliznet', 'lsp' } })",
    })
  end
  local version = run({ path, '--version' })
  if not version or version.code ~= 0 then
    return health.error(path .. ' does not run', said(version))
  end
  if not version.text:match('^gliznet ') then
    return health.error(path .. ' is another program', {
      "name the right one: vim.lsp.config('gliznet', { cmd = { '/path/to/gliznet', 'lsp' } })",
    })
  end
  health.ok(('%s is %s'):format(path, version.text))
  daemon(path)
end

---@return string[]? filetypes Those that are served; nil where that is not known.
local function filetypes()
  local client = vim.lsp.get_clients({ name = 'gliznet' })[1]
  local config = client and client.config
    or vim.lsp.config and vim.lsp.config.gliznet
    or require('gliznet').config
  return config and config.filetypes
end

--- Files that are open and not served, with the reason. Returns how many should be.
local function unserved()
  local served, count, others = filetypes(), 0, {}
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    local name, filetype = vim.api.nvim_buf_get_name(buf), vim.bo[buf].filetype
    local is_file = vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].buftype == '' and name ~= ''
    if is_file and served and #vim.lsp.get_clients({ bufnr = buf, name = 'gliznet' }) == 0 then
      local place = vim.fn.fnamemodify(name, ':~:.')
      if vim.list_contains(served, filetype) then
        count = count + 1
        health.error(place .. ' is open and not served: the server ended, or did not start', {
          'the log says why: ' .. vim.fn.fnamemodify(log_file(), ':~'),
          '`:edit` starts it again',
        })
      elseif filetype ~= '' then
        others[filetype] = place
      end
    end
  end
  for filetype, place in pairs(others) do
    health.info(('%s: filetype %s is not in `filetypes`'):format(place, filetype))
  end
  return count
end

local function notes()
  health.start('Notes')
  local faults = unserved()
  local clients = vim.lsp.get_clients({ name = 'gliznet' })
  if #clients == 0 then
    if faults == 0 then
      health.info('no note is open: open one, then ask again')
    end
    return
  end
  local client_of = require('gliznet.client')
  for _, client in ipairs(clients) do
    local root = client.config.root_dir or 'no folder'
    local count = vim.tbl_count(client.attached_buffers)
    health.ok(('%s: %d open'):format(root, count))
    local buf = next(client.attached_buffers)
    if buf then
      local document = { textDocument = client_of.document(buf) }
      local sets = client_of.ask(client, 'gliznet/labelsets', document, buf)
      local current = sets and sets.current
      if type(current) ~= 'table' then
        health.error('the server does not answer', { 'see :help gliznet-troubles' })
      elseif current.fault then
        health.error(current.fault, { 'see :help gliznet-labels' })
      else
        health.ok(('label set %s, %d labels'):format(current.name, #current.labels))
      end
    end
  end
end

function M.check()
  editor()
  program()
  notes()
end

return M
