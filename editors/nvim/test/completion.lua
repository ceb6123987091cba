-- Completion of tags, by Neovim's own keys.

local support = require('support')
local equal, holds = support.equal, support.holds

local BREAD = 'recipes/overnight-bread.md'

--- The words of the completion menu.
local function offered(editor)
  return editor:waits(
    'the menu',
    [[if vim.fn.pumvisible() == 0 then return nil end
      return vim.tbl_map(function(item) return item.word end, vim.fn.complete_info({ 'items' }).items)]]
  )
end

--- All labels of the set, best first.
local function ranked(editor)
  local scores = editor:ask('gliznet/tag', { all = true }).scores
  table.sort(scores, function(a, b)
    return a.score > b.score
  end)
  return vim.tbl_map(function(score)
    return score.label
  end, scores)
end

return {
  {
    'all labels are offered, those that fit first',
    function(home)
      local editor = home():editor(BREAD)
      editor:tags()
      local labels = ranked(editor)
      editor:keys('3Gf]i, <C-x><C-o>')
      equal(offered(editor), labels)
      editor:sees('%')
      editor:keys('<C-n><C-y><Esc>')
      -- Neovim selects the first by itself, unless 'completeopt' says otherwise.
      local line = editor:waits('the tag', "return vim.fn.mode() == 'n' and vim.fn.getline(3)")
      holds(line:match('^tags: %[bread, baking, %S+%]$'), line)
    end,
  },
  {
    'what is typed already narrows the menu',
    function(home)
      local editor = home():editor(BREAD)
      editor:tags()
      editor:keys('3Gf]i, ta<C-x><C-o>')
      -- One match alone is written without a menu.
      editor:waits('the tag', "return vim.fn.getline(3) == 'tags: [bread, baking, taxes]'")
    end,
  },
  {
    'tags are completed in every form',
    function(home)
      local user = home()
      local forms = {
        { 'block.md', '---\ntags:\n  - bread\n  - \n---\nKnead.\n', '4GA', 'recipe' },
        { 'string.md', '---\ntags: \n---\nKnead.\n', '2GA', 'recipe' },
        { 'hugo.md', '+++\ntags = ["bread", ""]\n+++\nKnead.\n', '2G$F"i', 'recipe' },
        -- In Org a colon ends each tag.
        { 'file.org', '#+TITLE: Bread\n#+FILETAGS: :bread:\n\nKnead.\n', '2GA', 'recipe:' },
        { 'body.md', 'Knead. #\n', '1GA', '#recipe' },
      }
      local editor = user:editor()
      for _, form in ipairs(forms) do
        support.write(user:path('notes/' .. form[1]), form[2])
        editor:command('edit ' .. form[1])
        editor:waits(
          form[1],
          'return vim.fn.expand("%:t") == ... and require("gliznet.client").of(0) ~= nil',
          form[1]
        )
        editor:tags()
        editor:keys(form[3] .. '<C-x><C-o>')
        local words = offered(editor)
        holds(vim.list_contains(words, form[4]), form[1] .. vim.inspect(words))
        -- The first is written into the line already.
        local line = editor:lua("return vim.fn.getline('.')")
        holds(line:find(words[1], 1, true) and not line:find('[#:]#') and not line:find('::'), line)
        editor:keys('<Esc>:edit!<CR>')
      end
    end,
  },
}
