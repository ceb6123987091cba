-- The plugin itself: what it loads, shows and says.

local support = require('support')
local equal, holds = support.equal, support.holds

local BREAD = 'recipes/overnight-bread.md'

local function health_report(editor)
  editor:command('checkhealth gliznet')
  editor:waits(
    'the report',
    "return vim.bo.filetype == 'checkhealth' and vim.api.nvim_buf_line_count(0) > 5"
  )
  return table.concat(editor:lines(), '\n')
end

--- A program called `gliznet` that is something else.
local function impostor(user, lines)
  support.write(user:path('bin/gliznet'), '#!/bin/sh\n' .. lines .. '\n')
  vim.fn.setfperm(user:path('bin/gliznet'), 'rwxr-xr-x')
end

return {
  {
    'nothing is loaded at start-up',
    function(home)
      local user = home()
      support.write(
        user:path('home/init.lua'),
        ('vim.opt.runtimepath:prepend(%q)\n'):format(support.plugin)
      )
      local editor = user:editor()
      local loaded = editor:lua([[
        return vim.tbl_filter(function(name)
          return vim.startswith(name, 'gliznet') or vim.startswith(name, 'vim.lsp')
        end, vim.tbl_keys(package.loaded))]])
      equal(loaded, {}, 'modules')
      equal(editor:lua("return vim.fn.exists(':Gliznet')"), 2, 'the command is there')
      equal(user:status(), nil, 'no daemon was started')
    end,
  },
  {
    'a status line shows the surest tag',
    function(home)
      local user = home({
        init = [[
          vim.o.laststatus = 2
          vim.o.statusline = "%f [%{v:lua.require'gliznet'.statusline()}]"]],
      })
      local editor = user:editor(BREAD)
      local tags = editor:tags()
      editor:sees(('[%s %.2f +4]'):format(tags[1].label, tags[1].score))
      editor:command('enew')
      editor:sees('[No Name] []')
    end,
  },
  {
    'the tags and the status can be read',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      local tags = editor:tags()
      editor:command('Gliznet tags')
      for _, tag in ipairs(tags) do
        editor:sees(('%%  %s'):format(tag.label))
      end
      editor:keys('<CR>')
      editor:command('Gliznet status')
      editor:sees('gliznet-minilm-l6')
      editor:sees('1, 0 requests wait')
      editor:keys('<CR>')
    end,
  },
  {
    'a command that cannot be done says why',
    function(home)
      local user = home()
      local editor = user:editor()
      editor:command('Gliznet accept')
      editor:sees('does not serve this buffer')
      editor:command('Gliznet frobnicate')
      editor:sees('there is no `:Gliznet frobnicate`')
      editor:command('Gliznet status now')
      editor:sees('takes no tag')
      editor:keys('<CR>')
      local said =
        editor:lua([[return select(2, pcall(require('gliznet').setup, { labelset = 'gtd' }))]])
      holds(said:find('no option `labelset`', 1, true), said)
    end,
  },
  {
    'the command line completes subcommands and tags',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      local tags = editor:tags()
      local function completed(line)
        return editor:lua("return vim.fn.getcompletion(..., 'cmdline')", line)
      end
      equal(completed('Gliznet acc'), { 'accept', 'accept-all' })
      local labels = vim.tbl_map(function(tag)
        return tag.label
      end, tags)
      equal(completed('Gliznet accept '), labels, 'best first')
      equal(completed('Gliznet reject ta'), { 'taxes' })
      equal(completed('Gliznet status '), {})
    end,
  },
  {
    'a user event tells others of new tags',
    function(home)
      local user = home({
        init = [[
          vim.api.nvim_create_autocmd('User', { pattern = 'GliznetTagsChanged', callback = function(event)
            vim.g.heard = #event.data.tags
          end })]],
      })
      local editor = user:editor(BREAD)
      equal(editor:waits('the event', 'return vim.g.heard'), 5)
    end,
  },
  {
    'an edit for an older text, or for a note that is closed, is refused',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      editor:tags()
      local function answer(uri, older)
        return editor:lua(
          [[
          local uri, older = ...
          local client = require('gliznet.client').of(0)
          local version = vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()] - older
          local range = { start = { line = 0, character = 0 }, ['end'] = { line = 0, character = 0 } }
          return client.handlers['workspace/applyEdit'](nil, { edit = { documentChanges = { {
            textDocument = { uri = uri, version = version },
            edits = { { range = range, newText = 'late' } },
          } } } }, { client_id = client.id, method = 'workspace/applyEdit' })]],
          uri,
          older
        )
      end
      local refused = { applied = false, failureReason = 'the text changed meanwhile' }
      equal(answer(vim.uri_from_fname(user:path('notes/' .. BREAD)), 1), refused)
      equal(editor:lines()[1], '---', 'the text')
      local closed = vim.uri_from_fname(user:path('notes/home/vet-visit.md'))
      equal(answer(closed, 0), { applied = false, failureReason = 'the note is closed' })
      equal(#editor:lua('return vim.api.nvim_list_bufs()'), 1, 'buffers')
    end,
  },
  {
    'checkhealth finds nothing wrong',
    function(home)
      local user = home()
      local editor = user:editor(BREAD)
      editor:tags()
      local report = health_report(editor)
      for _, expected in ipairs({ 'gliznet 0.', 'label set', '5 labels', '1 open' }) do
        holds(report:find(expected, 1, true), ('no `%s` in\n%s'):format(expected, report))
      end
      holds(not report:find('ERROR', 1, true), report)
    end,
  },
  {
    'checkhealth looks at the labels of the notes, wherever the editor was started',
    function(home)
      local editor = home():editor(BREAD)
      editor:tags()
      editor:command('cd /')
      local report = health_report(editor)
      holds(not report:find('no label set', 1, true), report)
      holds(report:find('5 labels', 1, true), report)
    end,
  },
  {
    'checkhealth tells how to get a missing program',
    function(home)
      local user = home({ no_program = true })
      local editor = user:editor()
      local report = health_report(editor)
      holds(report:find('ERROR there is no program `gliznet`', 1, true), report)
      holds(report:find('put it on the PATH', 1, true), report)
    end,
  },
  {
    'checkhealth finds that the program is another one',
    function(home)
      local user = home({ no_program = true })
      impostor(user, 'exit 0')
      local report = health_report(user:editor(BREAD))
      holds(report:find('ERROR .-/bin/gliznet is another program'), report)
      holds(report:find('ERROR %S+bread.md is open and not served'), report)
    end,
  },
  {
    'checkhealth finds a doctor that fails and a filetype that is not served',
    function(home)
      local user = home({ no_program = true })
      impostor(user, '[ "$1" = --version ] && exec echo gliznet 0; echo broken >&2; exit 2')
      support.write(user:path('notes/page.html'), '<p>Sow.</p>\n')
      local report = health_report(user:editor('page.html'))
      holds(report:find('ERROR `%S+ doctor` finds nothing out'), report)
      holds(report:find('broken', 1, true), report)
      holds(report:find('page.html: filetype html is not in `filetypes`', 1, true), report)
    end,
  },
  {
    'the help has its tags',
    function(home)
      local user = home()
      -- The tags file is made in a copy, so that the project stays clean.
      vim.fn.system({ 'cp', '-r', support.plugin .. '/doc', user:path('home/doc') })
      local editor = user:editor()
      local pages = editor:lua(
        [[
        local doc = ...
        vim.cmd.helptags(doc .. '/doc')
        vim.opt.runtimepath:prepend(doc)
        return vim.fn.getcompletion('gliznet', 'help')]],
        user:path('home')
      )
      for _, tag in ipairs({ 'gliznet.txt', 'gliznet-setup', 'gliznet-labels', 'gliznet-troubles' }) do
        holds(vim.list_contains(pages, tag), tag)
      end
    end,
  },
}
