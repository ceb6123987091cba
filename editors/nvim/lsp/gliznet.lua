-- How Neovim 0.11 and newer start the server: `vim.lsp.enable('gliznet')`.
-- Whatever is here can be overridden by `vim.lsp.config('gliznet', { … })`.

---@type vim.lsp.Config
return {
  -- A small process that finds the daemon, or starts it. All windows share one model.
  cmd = { 'gliznet', 'lsp' },
  filetypes = { 'markdown', 'quarto', 'rmd', 'org', 'text', 'rst', 'asciidoc', 'tex', 'plaintex' },
  root_markers = { 'gliznet.toml', '.obsidian', '.git' },
  -- We show the review ourselves; without this the server asks by messages.
  capabilities = { experimental = { gliznet = { review = true } } },
  handlers = {
    ['gliznet/tagsChanged'] = function(...)
      return require('gliznet.attach').tags_changed(...)
    end,
    ['workspace/applyEdit'] = function(...)
      return require('gliznet.attach').apply_edit(...)
    end,
  },
}
