-- One daemon for all windows, which may die.

local support = require('support')
local equal, holds = support.equal, support.holds

local BREAD = 'recipes/overnight-bread.md'

return {
  {
    'two editors share one daemon',
    function(home)
      local user = home()
      local first, second = user:editor(BREAD), user:editor('home/vet-visit.md')
      first:tags()
      second:tags()
      local status = first:ask('gliznet/status')
      equal(status.clients, 2, 'editors on one daemon')
      first:quit()
      support.until_true('one client', function()
        return second:ask('gliznet/status').clients == 1
      end)
      equal(second:ask('gliznet/status').pid, status.pid, 'the daemon goes on')
    end,
  },
  {
    'an editor goes on when the daemon is killed',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      local before = editor:tags()
      local client = editor:lua("return vim.lsp.get_clients({ name = 'gliznet' })[1].id")
      local pid = user:status().pid
      editor:keys('GoA line that the daemon never sees on disk.<Esc>')
      vim.uv.kill(pid, 9)
      local after = editor:waits(
        'an answer of the next daemon',
        [[local client_of = require('gliznet.client')
          return client_of.ask(client_of.of(0), 'gliznet/tag', { textDocument = client_of.document(0) }, 0)]]
      )
      holds(user:status().pid ~= pid, 'another daemon serves')
      equal(#after.tags, #before, 'the same labels')
      equal(
        editor:lua("return vim.lsp.get_clients({ name = 'gliznet' })[1].id"),
        client,
        'the editor noticed nothing'
      )
    end,
  },
  {
    'verdicts survive the death of the daemon',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      editor:sees('+ ')
      local labels = editor:suggested()
      editor:command('Gliznet reject')
      editor:sees('rejected ' .. labels[1])
      vim.uv.kill(user:status().pid, 9)
      editor:command('Gliznet accept ' .. labels[2])
      editor:sees('accepted ' .. labels[2])
      equal(editor:lines()[3], ('tags: [bread, baking, %s]'):format(labels[2]))
      equal(editor:ask('gliznet/status').journal.corrections, 2, 'corrections')
      editor:suggests(labels[3], true)
      editor:suggests(labels[1], false)
    end,
  },
  {
    'leaving the editor leaves no server behind',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      editor:tags()
      local pid = editor:lua([[
        local children = vim.api.nvim_get_proc_children(vim.fn.getpid())
        for _, pid in ipairs(children) do
          if vim.api.nvim_get_proc(pid).name:find('gliznet') then return pid end
        end]])
      editor:quit()
      support.until_true('the end of the server', function()
        return vim.uv.kill(pid, 0) ~= 0
      end)
    end,
  },
}
