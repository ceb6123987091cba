-- How Neovim 0.11 and newer start the server: `vim.lsp.enable('gliznet')`.
-- Whatever is here can be overridden by `vim.lsp.config('gliznet', { … })`.

---@type vim.lsp.Config
return {
  -- A small process that finds the daemon, or starts it. All windows share one model.
  cmd = { 'gliznet', 'lsp' },
  filetypes = { 'markdown', 'quarto', 'rmd', 'org', 'text', 'rst', 'asciidoc', 'tex', 'plaintex' },
  root_markers = { 'gliznet.toml', '.obsidian', '.git' },
  -- Only keeps out what has no name yet; the folder is where the markers are.
  root_dir = function(buf, on_dir)
    if require('gliznet.attach').is_named(buf) then
      on_dir()
    end
  end,
  capabilities = {
    -- Neovim takes edits that name their version, but does not say so. Without a version an edit for
    -- an older text is written all the same: a tag stands there twice, or in the midst of a word.
    workspace = {
      workspaceEdit = {
        documentChanges = true,
        -- It would tell each tag once more, in lines that ask for a key.
        changeAnnotationSupport = vim.NIL,
      },
    },
    -- We show the review ourselves; without this the server asks by messages.
    experimental = { gliznet = { review = true } },
  },
  handlers = {
    ['gliznet/tagsChanged'] = function(...)
      return require('gliznet.attach').tags_changed(...)
    end,
    ['workspace/applyEdit'] = function(...)
      return require('gliznet.attach').apply_edit(...)
    end,
  },
}
