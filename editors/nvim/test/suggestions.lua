-- What is suggested, and what becomes of it in the file.

local support = require('support')
local equal, holds = support.equal, support.holds

-- Its tags are `[bread, baking]`, on line 3.
local BREAD = 'recipes/overnight-bread.md'
-- Its tags are a block list of `taxes` and `paperwork`.
local TAXES = 'home/tax-return-checklist.md'
-- It has no front matter.
local VET = 'home/vet-visit.md'

--- The note, once its lens is on the screen.
local function opened(user, note)
  local editor = user:editor(note)
  editor:sees('+ ')
  return editor
end

--- Saves, and gives the file's bytes.
local function saved(user, editor, note)
  editor:command('write')
  editor:waits('the file', 'return not vim.bo.modified')
  return support.bytes(user:path('notes/' .. note))
end

local function with(text, old, new)
  local at, to = text:find(old, 1, true)
  return text:sub(1, at - 1) .. new .. text:sub(to + 1)
end

return {
  {
    'a lens with the tags that fit stands over the tags',
    function(home)
      local editor = opened(home(), BREAD)
      local tags = editor:tags()
      local first = ('+ %s %.0f %%'):format(tags[1].label, tags[1].score * 100)
      editor:sees(first)
      editor:sees('accept all')
      editor:sees('review')
      local lines = vim.split(editor:screen(), '\n')
      for i, line in ipairs(lines) do
        local at = line:find(first, 1, true)
        if at then
          equal(line:find('+ ', 1, true), at, 'the surest stands first')
          holds(line:find('accept all', at, true) < line:find('review', at, true), line)
          -- Neovim 0.12 draws lenses above their line, older ones behind it.
          -- A sign at a tag that is in no label set may stand before it.
          local above = lines[i + 1]:find('tags: [bread', 1, true)
          holds(above or line:find('tags: [bread', 1, true), editor:screen())
        end
      end
      equal(#editor:suggested(), 5, 'suggestions')
      equal(editor:suggested()[1], tags[1].label, 'the surest first')
    end,
  },
  {
    'a tag is accepted by its lens, and only the tags change',
    function(home)
      local user = home()
      local before = support.bytes(user:path('notes/' .. BREAD))
      local editor = opened(user, BREAD)
      local label = editor:suggested()[1]
      editor:keys('3G')
      editor:command('lua vim.lsp.codelens.run()')
      editor:pick('+ ' .. label)
      editor:waits('the tag', 'return vim.fn.getline(3):find(..., 1, true)', label)
      editor:suggests(label, false)
      local after = with(before, '[bread, baking]', ('[bread, baking, %s]'):format(label))
      equal(saved(user, editor, BREAD), after, 'bytes')
      equal(editor:ask('gliznet/status').journal.corrections, 1, 'corrections')
    end,
  },
  {
    'a block list grows by a line of its own form',
    function(home)
      local user = home()
      local before = support.bytes(user:path('notes/' .. TAXES))
      local editor = opened(user, TAXES)
      editor:command('Gliznet accept garden')
      editor:sees('accepted garden')
      local after = with(before, '  - paperwork\n', '  - paperwork\n  - garden\n')
      equal(saved(user, editor, TAXES), after, 'bytes')
    end,
  },
  {
    'a note without front matter gets one, and is else as it was',
    function(home)
      local user = home()
      local before = support.bytes(user:path('notes/' .. VET))
      local editor = opened(user, VET)
      editor:command('Gliznet accept pets')
      editor:sees('accepted pets')
      local after = saved(user, editor, VET)
      equal(after:sub(-#before), before, 'the text')
      local head = after:sub(1, #after - #before)
      holds(head:find('^%-%-%-\ntags:') and head:find('pets', 1, true), head)
    end,
  },
  {
    'line ends and letters of all widths stay as they are',
    function(home)
      local user = home()
      local note =
        '---\r\ntitle: "Été 🌻 漢字"\r\ntags: [é🌻] # später\r\n---\r\nPlant the 🌻 sunflowers.\r\n'
      support.write(user:path('notes/odd.md'), note)
      local editor = opened(user, 'odd.md')
      editor:command('Gliznet accept garden')
      editor:sees('accepted garden')
      equal(saved(user, editor, 'odd.md'), with(note, '[é🌻]', '[é🌻, garden]'), 'bytes')
    end,
  },
  {
    'a tag can be accepted while the daemon has not yet seen the text',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      editor:keys('GoThe garden needs water.<Esc>ggOA line before the front matter<Esc>u')
      editor:command('Gliznet accept garden')
      editor:sees('accepted garden')
      local lines = editor:lines()
      equal(lines[3], 'tags: [bread, baking, garden]')
      equal(lines[#lines], 'The garden needs water.')
    end,
  },
  {
    'a tag that is accepted twice at once is written once',
    function(home)
      local editor = opened(home(), BREAD)
      editor:lua("vim.cmd('Gliznet accept garden') vim.cmd('Gliznet accept garden')")
      support.until_true('both records', function()
        return editor:ask('gliznet/status').journal.corrections == 2
      end)
      equal(editor:lines()[3], 'tags: [bread, baking, garden]')
    end,
  },
  {
    'a note that cannot be changed is left alone, and it is said why',
    function(home)
      local editor = opened(home(), BREAD)
      editor:lua('vim.bo.modifiable = false')
      editor:command('Gliznet accept garden')
      editor:sees('did not take the edit: the buffer cannot be changed')
      equal(editor:ask('gliznet/status').journal.corrections, 0, 'corrections')
    end,
  },
  {
    'an accepted tag is undone by one key',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      local before = editor:lines()
      editor:command('Gliznet accept')
      editor:sees('accepted ')
      holds(not vim.deep_equal(editor:lines(), before), 'the text changed')
      editor:keys('u')
      editor:waits(
        'the text as it was',
        'return vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, false), ...)',
        before
      )
    end,
  },
  {
    'a rejected tag is gone, and stays away when the note is opened again',
    function(home)
      local user = home()
      local before = support.bytes(user:path('notes/' .. BREAD))
      local editor = opened(user, BREAD)
      local labels = editor:suggested()
      editor:command('Gliznet reject')
      editor:sees('rejected ' .. labels[1])
      editor:sees_no('+ ' .. labels[1])
      equal(editor:suggested()[1], labels[2], 'the next is the first')
      editor:quit()
      equal(support.bytes(user:path('notes/' .. BREAD)), before, 'bytes')
      local again = opened(user, BREAD)
      again:sees('+ ' .. labels[2])
      again:suggests(labels[1], false)
      again:quit()
      -- And with another daemon, which knows only what is on the disk.
      user:gliznet('stop')
      local later = opened(user, BREAD)
      later:sees('+ ' .. labels[2])
      later:suggests(labels[1], false)
      -- What was rejected can be accepted, and is then no mistake any more.
      later:command('Gliznet accept ' .. labels[1])
      later:sees('accepted ' .. labels[1])
      holds(later:lines()[3]:find(labels[1], 1, true), later:lines()[3])
    end,
  },
  {
    'all suggestions are accepted at once',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      local labels = editor:suggested()
      editor:command('Gliznet accept-all')
      editor:waits('the tags', 'return vim.fn.getline(3):find(..., 1, true)', labels[#labels])
      local all = table.concat(labels, ', ')
      equal(editor:lines()[3], ('tags: [bread, baking, %s]'):format(all))
      editor:sees_no('accept all')
    end,
  },
  {
    'one is picked from a list',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      local labels = editor:suggested()
      editor:command('Gliznet pick')
      editor:sees('Tags for overnight-bread.md')
      editor:pick(('- never %s here'):format(labels[2]))
      editor:sees_no('+ ' .. labels[2])
      equal(editor:ask('gliznet/status').journal.corrections, 1, 'corrections')
    end,
  },
  {
    'a review goes on until nothing is left or one leaves',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      local labels = editor:suggested()
      editor:keys('3G')
      editor:command('lua vim.lsp.codelens.run()')
      editor:pick('review')
      editor:pick(('- never %s here'):format(labels[1]))
      editor:sees('+ all 4')
      editor:pick('+ ' .. labels[2])
      editor:sees('+ all 3')
      editor:pick('+ all 3')
      editor:sees('all suggestions are reviewed')
      equal(editor:lines()[3], ('tags: [bread, baking, %s]'):format(table.concat(labels, ', ', 2)))
    end,
  },
  {
    'a tag is added by a code action, and recorded',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      editor:keys('3G')
      editor:command('lua vim.lsp.buf.code_action()')
      editor:pick('Add tag garden')
      editor:waits('the tag', "return vim.fn.getline(3) == 'tags: [bread, baking, garden]'")
      support.until_true('the record', function()
        return editor:ask('gliznet/status').journal.corrections == 1
      end)
    end,
  },
  {
    'a tag tells what is known of it',
    function(home)
      local user = home()
      local editor = opened(user, BREAD)
      local label = editor:suggested()[1]
      editor:command('Gliznet accept ' .. label)
      editor:sees('accepted ' .. label)
      editor:waits(
        'the reading that follows',
        "return require('gliznet.attach').tags()[1].origin == 'you'"
      )
      editor:keys('3Gf]h')
      editor:command('lua vim.lsp.buf.hover()')
      editor:sees('You said that it fits')
      editor:sees(('All about %s.'):format(label))
    end,
  },
  {
    'a misspelt tag is found and replaced',
    function(home)
      local user = home()
      local note = '---\ntags: [gardne]\n---\nSow the beans.\n'
      support.write(user:path('notes/beans.md'), note)
      local editor = opened(user, 'beans.md')
      local found = editor:waits('the hint', 'local d = vim.diagnostic.get(0) return #d > 0 and d')
      equal(found[1].severity, 4, 'a hint')
      editor:keys('2Gf[l')
      editor:command('lua vim.lsp.buf.code_action()')
      editor:pick('Replace gardne by garden')
      editor:waits('the tag', "return vim.fn.getline(2) == 'tags: [garden]'")
      editor:waits('no hint', 'return #vim.diagnostic.get(0) == 0')
    end,
  },
  {
    'a tag that is in no set becomes a label of it',
    function(home)
      local user = home()
      local note = '---\ntags: [weaving]\n---\nSow the beans.\n'
      support.write(user:path('notes/beans.md'), note)
      local editor = opened(user, 'beans.md')
      editor:waits('the hint', 'return #vim.diagnostic.get(0) == 1')
      editor:keys('2Gfw')
      editor:command('lua vim.lsp.buf.code_action()')
      editor:pick('Add weaving to the label set set')
      editor:waits('no hint', 'return #vim.diagnostic.get(0) == 0')
      local set = support.bytes(user:path('notes/set.toml'))
      holds(set:find('name = "weaving"', 1, true), set)
    end,
  },
  {
    'a note is served under the name that it gets',
    function(home)
      local user = home()
      local editor = user:editor()
      editor:command('enew | setfiletype markdown')
      editor:keys('iSow the beans.<Esc>')
      editor:command('Gliznet accept garden')
      editor:sees('the note has no name yet')
      equal(editor:lua('return #vim.lsp.get_clients({ bufnr = 0 })'), 0, 'servers')
      editor:command('write first.md')
      editor:tags()
      editor:command('Gliznet accept garden')
      editor:sees('accepted garden')
      editor:command('saveas second.md')
      editor:tags()
      editor:command('file third.md')
      editor:tags()
      editor:command('Gliznet accept pets')
      editor:sees('accepted pets')
      equal(
        editor:lines(),
        { '---', 'tags:', '  - garden', '  - pets', '---', '', 'Sow the beans.' }
      )
    end,
  },
  {
    'where a kind of file has no place for tags, it is said',
    function(home)
      local user = home()
      support.write(user:path('notes/beans.rst'), 'Sow the beans.\n')
      local editor = opened(user, 'beans.rst')
      editor:command('Gliznet accept garden')
      editor:sees('garden: remembered for this note; this kind of file has no place for tags')
      editor:command('redraw!')
      editor:command('lua vim.lsp.codelens.run()')
      editor:pick('+ pets')
      editor:sees('pets: remembered for this note')
      equal(editor:lines(), { 'Sow the beans.' })
    end,
  },
  {
    'without labels it is said why nothing is suggested',
    function(home)
      local user = home()
      support.write(user:path('notes/gliznet.toml'), 'labelset = "personal-not"\n')
      local editor = user:editor(BREAD)
      editor:waits('the server', "return require('gliznet.client').of(0) ~= nil")
      editor:keys('<CR>')
      editor:command('Gliznet pick')
      editor:sees('gliznet: no label set is called `personal-not`')
    end,
  },
  {
    'a note that is closed over its list is left alone',
    function(home)
      local user = home({
        init = [[vim.ui.select = function(choices, _, chosen)
          vim.cmd('bwipeout!')
          vim.g.picked = pcall(chosen, choices[1]) and 'well' or 'badly'
        end]],
      })
      local editor = opened(user, BREAD)
      editor:command('Gliznet pick')
      equal(editor:waits('the choice', 'return vim.g.picked'), 'well')
    end,
  },
  {
    'a note that is closed before the answer comes is left alone',
    function(home)
      local editor = opened(home(), BREAD)
      editor:lua("vim.cmd('Gliznet accept') vim.cmd('bwipeout!')")
      editor:command('edit ' .. TAXES)
      editor:tags()
      equal(editor:lua("return vim.fn.execute('messages')"):find('traceback'), nil, 'a fault')
      local left = editor:lua('return vim.fn.bufexists(...)', BREAD)
      equal(left, 0, 'the closed note')
    end,
  },
  {
    'nothing is suggested where lenses are turned off',
    function(home)
      local user = home({
        init = [[
          if vim.lsp.config then
            vim.lsp.config('gliznet', { settings = { gliznet = { codeLens = false } } })
          else
            require('gliznet').setup({ settings = { gliznet = { codeLens = false } } })
          end]],
      })
      local editor = user:editor(BREAD)
      editor:tags()
      equal(editor:ask('textDocument/codeLens'), {}, 'lenses')
      editor:command('Gliznet pick')
      editor:sees('+ all 5')
      editor:keys('<CR>')
    end,
  },
}
