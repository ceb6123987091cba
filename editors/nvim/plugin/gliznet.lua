-- What is there before anything is needed: a command and two autocommands. None loads a module of
-- ours, or of the language client's, until it is used.

if vim.g.loaded_gliznet or vim.fn.has('nvim-0.10') == 0 then
  return
end
vim.g.loaded_gliznet = true

vim.api.nvim_create_user_command('Gliznet', function(args)
  require('gliznet.commands').run(args.fargs)
end, {
  nargs = '*',
  desc = 'Accept, reject and show the tags that fit this note',
  complete = function(_, line, column)
    return require('gliznet.commands').complete(line:sub(1, column))
  end,
})

local group = vim.api.nvim_create_augroup('gliznet', {})
vim.api.nvim_create_autocmd('LspAttach', {
  group = group,
  desc = 'Show tags over the notes that gliznet serves',
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == 'gliznet' then
      require('gliznet.attach').attach(client, event.buf)
    end
  end,
})

-- A buffer without a name that is written is told as a new one.
vim.api.nvim_create_autocmd({ 'BufFilePost', 'BufAdd' }, {
  group = group,
  desc = 'Tell gliznet the new name of a note that it serves',
  callback = function(event)
    local attach = package.loaded['gliznet.attach']
    if attach then
      -- The name is complete only when the command is over.
      vim.schedule(function()
        attach.renamed(event.buf)
      end)
    end
  end,
})
