-- What the tests stand on: a user with folders and a daemon of their own, and editors in real
-- terminals. A test looks at the screen, presses keys, and may ask an editor's Lua; it waits for
-- conditions, each for a bounded time, and never for a while.

local M = {}

local PATIENCE_MS = 20000
local here = vim.fs.dirname(vim.fs.normalize(debug.getinfo(1, 'S').source:sub(2)))
M.plugin = vim.fs.dirname(here)
M.project = vim.fs.dirname(vim.fs.dirname(M.plugin))

--- Asks until the answer is neither nil nor false; fails with `describe()` after the patience.
function M.until_true(what, ask, describe)
  local deadline = vim.uv.hrtime() + PATIENCE_MS * 1e6
  while true do
    local answer = ask()
    if answer then
      return answer
    end
    if vim.uv.hrtime() > deadline then
      error(('%s did not come\n%s'):format(what, describe and describe() or ''), 0)
    end
    vim.wait(10)
  end
end

function M.equal(got, expected, what)
  if not vim.deep_equal(got, expected) then
    local message = '%s\n  expected: %s\n  got:      %s'
    error(message:format(what or 'not equal', vim.inspect(expected), vim.inspect(got)), 0)
  end
end

function M.holds(condition, what)
  if not condition then
    error(what, 0)
  end
end

function M.write(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
end

function M.bytes(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

local Editor = {}
Editor.__index = Editor

--- Runs Lua in the editor. A prompt would keep it from answering, and is a failure.
function Editor:lua(code, ...)
  M.until_true('an editor without a prompt', function()
    return not vim.rpcrequest(self.channel, 'nvim_get_mode').blocking
  end, function()
    return self:screen()
  end)
  return vim.rpcrequest(self.channel, 'nvim_exec_lua', code, { ... })
end

--- Presses keys, as a person does; works in prompts.
function Editor:keys(keys)
  vim.rpcrequest(self.channel, 'nvim_input', keys)
end

--- Types a command line and enters it.
function Editor:command(line)
  self:keys((':%s<CR>'):format((line:gsub('<', '<lt>'))))
end

--- What the terminal shows.
function Editor:screen()
  return table.concat(vim.api.nvim_buf_get_lines(self.terminal, 0, -1, false), '\n')
end

--- Waits until the terminal shows a text.
function Editor:sees(text)
  M.until_true(('`%s` on the screen'):format(text), function()
    return self:screen():find(text, 1, true)
  end, function()
    return self:screen()
  end)
end

--- Waits until the terminal shows a text no longer.
function Editor:sees_no(text)
  M.until_true(('a screen without `%s`'):format(text), function()
    return not self:screen():find(text, 1, true)
  end, function()
    return self:screen()
  end)
end

--- Waits until Lua in the editor returns something.
function Editor:waits(what, code, ...)
  local arguments = { ... }
  return M.until_true(what, function()
    local answer = self:lua(code, unpack(arguments))
    return answer ~= vim.NIL and answer
  end, function()
    return self:screen()
  end)
end

function Editor:lines()
  return self:lua('return vim.api.nvim_buf_get_lines(0, 0, -1, false)')
end

--- Asks the server as the plugin does.
function Editor:ask(method, params)
  local answer = self:lua(
    [[local method, params = ...
      local client_of = require('gliznet.client')
      params = params or {}
      params.textDocument = params.textDocument or client_of.document(0)
      local answer
      client_of.request(client_of.of(0), method, params, 0, function(err, result)
        answer = { err = err, result = result }
      end)
      vim.wait(10000, function() return answer end, 5)
      return answer]],
    method,
    params
  )
  M.holds(answer ~= vim.NIL and not answer.err, ('%s: %s'):format(method, vim.inspect(answer)))
  return answer.result
end

--- Waits until the server has told the tags, and gives them.
function Editor:tags()
  return self:waits(
    'tags',
    [[local tags = require('gliznet.attach').tags()
      return #tags > 0 and tags]]
  )
end

--- Labels of the suggestions, as the lens has them.
function Editor:suggested()
  return self:lua([[
    local labels
    local client_of = require('gliznet.client')
    local client = client_of.of(0)
    if not client then return {} end
    require('gliznet.review').suggestions(client, 0, function(suggestions)
      labels = vim.tbl_map(function(s) return s.label end, suggestions)
    end)
    vim.wait(10000, function() return labels end, 5)
    return labels]])
end

--- Waits until a label is suggested, or is not.
function Editor:suggests(label, expected)
  M.until_true(('%s %ssuggested'):format(label, expected and '' or 'not '), function()
    return vim.list_contains(self:suggested(), label) == expected
  end, function()
    return self:screen()
  end)
end

--- Waits for a list to pick from, and picks the choice that begins with a text.
function Editor:pick(text)
  local number = M.until_true(('a choice `%s`'):format(text), function()
    for _, line in ipairs(vim.split(self:screen(), '\n')) do
      local number, shown = line:match('^%s*(%d+):%s*(.-)%s*$')
      if number and vim.startswith(shown, text) then
        return number
      end
    end
  end, function()
    return self:screen()
  end)
  self:keys(number .. '<CR>')
end

--- Leaves the editor; nothing is saved.
function Editor:quit()
  if self.gone then
    return
  end
  self.gone = true
  pcall(vim.rpcnotify, self.channel, 'nvim_input', '<C-\\><C-n>:qa!<CR>')
  local ended, why = pcall(M.until_true, 'the end of an editor', function()
    return vim.uv.kill(self.pid, 0) ~= 0
  end, function()
    return self:screen()
  end)
  if not ended then
    vim.uv.kill(self.pid, 9)
  end
  -- The part that draws is another process; it would wait for a while for the terminal's last words.
  vim.fn.jobstop(self.job)
  pcall(vim.fn.chanclose, self.channel)
  vim.api.nvim_buf_delete(self.terminal, { force = true })
  M.holds(ended, why)
end

local Home = {}
Home.__index = Home

local LABELS = { 'travel', 'taxes', 'recipe', 'pets', 'garden' }
local number = 0

--- A user whose notes are the project's examples, with five labels that all are suggested.
function M.home(options)
  options = options or {}
  number = number + 1
  local root = ('%s/%d'):format(vim.env.GLIZNET_TEST_DIR, number)
  local self = setmetatable({ root = root, editors = {} }, Home)
  for _, folder in ipairs({ 'config', 'data', 'cache', 'run', 'bin', 'home' }) do
    vim.fn.mkdir(self:path(folder), 'p')
  end
  vim.fn.system({ 'cp', '-r', M.project .. '/examples/notes', self:path('notes') })
  if not options.no_program then
    vim.uv.fs_symlink(vim.env.GLIZNET, self:path('bin/gliznet'))
  end
  local set = {}
  for _, label in ipairs(LABELS) do
    table.insert(
      set,
      ('[[label]]\nname = "%s"\ndescription = "All about %s."\n'):format(label, label)
    )
  end
  M.write(self:path('notes/set.toml'), table.concat(set))
  M.write(self:path('notes/gliznet.toml'), 'labelset = "set.toml"\nthreshold = 0.0\n')
  M.write(
    self:path('home/init.lua'),
    ([[
vim.opt.runtimepath:prepend(%q)
if vim.lsp.enable then
  vim.lsp.enable('gliznet')
else
  require('gliznet').setup()
end
vim.o.swapfile = false
-- Neovim 0.10 writes hints between a line and its lenses.
vim.diagnostic.config({ virtual_text = false })
%s
]]):format(M.plugin, options.init or '')
  )
  return self
end

function Home:path(name)
  return self.root .. '/' .. name
end

function Home:env()
  return {
    PATH = self:path('bin') .. ':/usr/bin:/bin',
    HOME = self:path('home'),
    LANG = 'C.UTF-8',
    TERM = 'xterm-256color',
    XDG_CONFIG_HOME = self:path('home/config'),
    XDG_DATA_HOME = self:path('home/data'),
    XDG_STATE_HOME = self:path('home/state'),
    XDG_CACHE_HOME = self:path('home/cache'),
    GLIZNET_CONFIG_DIR = self:path('config'),
    GLIZNET_DATA_DIR = self:path('data'),
    GLIZNET_CACHE_DIR = self:path('cache'),
    GLIZNET_RUNTIME_DIR = self:path('run'),
  }
end

--- Runs the program in this user's folders.
function Home:gliznet(...)
  -- Not by `clear_env`, which makes Neovim 0.10 give an empty environment.
  local command = { 'env', '-i' }
  for name, value in pairs(self:env()) do
    table.insert(command, name .. '=' .. value)
  end
  vim.list_extend(command, { vim.env.GLIZNET, ... })
  local options = { cwd = self:path('notes'), text = true }
  return vim.system(command, options):wait(PATIENCE_MS)
end

--- The daemon's own words on itself; nil where none runs.
function Home:status()
  local result = self:gliznet('status', '--json')
  local ok, status = pcall(vim.json.decode, result.stdout)
  return ok and type(status) == 'table' and status or nil
end

--- Opens an editor in a terminal.
function Home:editor(note)
  local listen = ('%s/e%d'):format(self:path('run'), #self.editors + 1)
  local terminal = vim.api.nvim_create_buf(false, true)
  -- A terminal is as large as its window.
  local size = { relative = 'editor', row = 0, col = 0, width = 120, height = 30 }
  local window = vim.api.nvim_open_win(terminal, true, size)
  local command =
    { vim.v.progpath, '--clean', '-u', self:path('home/init.lua'), '--listen', listen }
  table.insert(command, note and self:path('notes/' .. note))
  local options = { env = self:env(), clear_env = true, cwd = self:path('notes') }
  local job
  if vim.fn.has('nvim-0.11') == 1 then
    options.term = true
    job = vim.fn.jobstart(command, options)
  else
    job = vim.fn.termopen(command, options)
  end
  local channel = M.until_true('the editor', function()
    local ok, channel = pcall(vim.fn.sockconnect, 'pipe', listen, { rpc = true })
    return ok and channel
  end)
  local editor = setmetatable({ channel = channel, job = job, terminal = terminal }, Editor)
  vim.api.nvim_win_close(window, true)
  table.insert(self.editors, editor)
  editor.pid = editor:lua('return vim.fn.getpid()')
  editor:waits('the end of its start', 'return vim.v.vim_did_enter == 1')
  return editor
end

--- Ends whatever this user started.
function Home:close()
  local faults = {}
  for _, editor in ipairs(self.editors) do
    local ok, why = pcall(editor.quit, editor)
    table.insert(faults, not ok and why or nil)
  end
  self:gliznet('stop')
  M.until_true('the end of the daemon', function()
    return self:status() == nil
  end)
  M.holds(#faults == 0, faults[1])
end

return M
