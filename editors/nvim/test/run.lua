-- Runs the tests: `nvim --headless -l run.lua`, with the environment that `editors/test/nvim.sh`
-- gives. Arguments: patterns of test names; none runs all.

local here = vim.fs.dirname(vim.fs.normalize(debug.getinfo(1, 'S').source:sub(2)))
package.path = here .. '/?.lua;' .. package.path

local support = require('support')
-- Room for the terminals.
vim.o.columns, vim.o.lines = 140, 50
local passed, failed = 0, 0

local function is_wanted(name)
  if #arg == 0 then
    return true
  end
  for _, pattern in ipairs(arg) do
    if name:find(pattern, 1, true) then
      return true
    end
  end
  return false
end

local function run(name, test)
  local start = vim.uv.hrtime()
  local homes = {}
  local function home(options)
    local made = support.home(options)
    table.insert(homes, made)
    return made
  end
  local ok, fault = xpcall(test, function(message)
    return type(message) == 'string' and message or vim.inspect(message)
  end, home)
  for _, made in ipairs(homes) do
    local closed, why = pcall(made.close, made)
    if not closed then
      ok, fault = false, (fault or '') .. '\nafter the test: ' .. tostring(why)
    end
  end
  local seconds = (vim.uv.hrtime() - start) / 1e9
  io.write(('%s %s (%.1f s)\n'):format(ok and 'ok  ' or 'FAIL', name, seconds))
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    io.write('     ', (fault:gsub('\n', '\n     ')), '\n')
  end
  io.flush()
end

for _, file in ipairs({ 'suggestions', 'completion', 'daemon', 'plugin' }) do
  for _, case in ipairs(require(file)) do
    if is_wanted(case[1]) then
      run(case[1], case[2])
    end
  end
end

io.write(('%d passed, %d failed\n'):format(passed, failed))
os.exit(failed == 0 and passed > 0 and 0 or 1)
