-- `:checkhealth gliznet`.

local M = {}

local health = vim.health

--- Output and exit code of the program; nil where it cannot be started.
---@param words string[]
local function run(words)
  local ok, process = pcall(vim.system, words, { text = true })
  if not ok then
    return nil
  end
  -- The commands asked for here end at once; none starts a daemon.
  local result = process:wait(5000)
  return { text = vim.trim(result.stdout .. result.stderr), code = result.code }
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
    return package.loaded.gliznet and { 'gliznet', 'lsp' } or nil
  end
  local config = vim.lsp.config.gliznet
  local is_enabled = vim.lsp.is_enabled and vim.lsp.is_enabled('gliznet')
  if vim.lsp.is_enabled and not is_enabled then
    return nil
  end
  return config and config.cmd
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
    return health.error(path .. ' does not run', version and { version.text } or nil)
  end
  health.ok(('%s is %s'):format(path, version.text))

  health.start('The daemon')
  local doctor = run({ path, 'doctor' })
  for line in vim.gsplit(doctor and doctor.text or '', '\n') do
    local class, text = line:match('^(%S+)%s+(.*)$')
    local say = ({ ok = health.ok, notice = health.warn, problem = health.error })[class]
    if say then
      say(text)
    elseif vim.trim(line) ~= '' then
      health.info(line)
    end
  end
end

local function notes()
  health.start('Notes')
  local clients = vim.lsp.get_clients({ name = 'gliznet' })
  if #clients == 0 then
    return health.info('no note is open: open one, then ask again')
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
