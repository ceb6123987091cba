-- What users call: `setup` and `statusline`.

local M = {}

---@class gliznet.Options
---@field cmd? string[] The server's command line. Default: `{ 'gliznet', 'lsp' }`.
---@field filetypes? string[] Where it starts. The default is in `lsp/gliznet.lua`.
---@field root_markers? string[] Files that mark the folder of the notes.
---@field settings? table Settings of the server, in a section `gliznet`.

local KNOWN = { cmd = 'table', filetypes = 'table', root_markers = 'table', settings = 'table' }

---@type table? What Neovim 0.10 starts the server with.
M.config = nil

--- The configuration that newer Neovims find by themselves.
---@return table
local function default_config()
  local here = debug.getinfo(1, 'S').source:sub(2)
  return dofile(
    vim.fs.joinpath(vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(here))), 'lsp', 'gliznet.lua')
  )
end

--- Neovim 0.10 has neither `vim.lsp.config` nor `vim.lsp.enable`.
---@param options gliznet.Options
local function start_by_autocommand(options)
  local config = vim.tbl_deep_extend('force', default_config(), options)
  config.name = 'gliznet'
  config.root_dir = nil -- A function is for newer Neovims.
  config.capabilities =
    vim.tbl_deep_extend('force', vim.lsp.protocol.make_client_capabilities(), config.capabilities)

  M.config = config

  local function start(buf)
    local is_file = vim.bo[buf].buftype == ''
    if
      is_file
      and vim.list_contains(config.filetypes, vim.bo[buf].filetype)
      and require('gliznet.attach').is_named(buf)
    then
      local root = vim.fs.root(buf, config.root_markers)
      vim.lsp.start(vim.tbl_extend('force', config, { root_dir = root }), { bufnr = buf })
    end
  end

  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('gliznet.start', {}),
    pattern = config.filetypes,
    desc = 'Start gliznet',
    callback = function(event)
      start(event.buf)
    end,
  })
  -- A plugin manager may load us by the very event that we wait for.
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) then
      start(buf)
    end
  end
end

--- Starts the server for notes. On Neovim 0.11 and newer, `vim.lsp.enable('gliznet')` does it too.
---@param options? gliznet.Options
function M.setup(options)
  options = options or {}
  for name, value in pairs(options) do
    if type(value) ~= KNOWN[name] then
      local fact = KNOWN[name] and ('`%s` must be a table'):format(name)
        or ('there is no option `%s`'):format(name)
      error(('gliznet.setup: %s; see :help gliznet-setup'):format(fact), 2)
    end
  end
  if vim.lsp.config and vim.lsp.enable then
    vim.lsp.config('gliznet', options)
    vim.lsp.enable('gliznet')
  else
    start_by_autocommand(options)
  end
end

--- What a status line can show: the surest tag that the note has not yet, and how many others there
--- are. Empty where none is.
---@param buf? integer
---@return string
function M.statusline(buf)
  -- A status line is drawn often; where nothing of ours runs, nothing of ours is loaded.
  local attach = package.loaded['gliznet.attach']
  local missing = vim.tbl_filter(function(tag)
    return not tag.present
  end, attach and attach.tags(buf) or {})
  if #missing == 0 then
    return ''
  end
  local surest = missing[1]
  local score = surest.score == vim.NIL and '' or (' %.2f'):format(surest.score)
  local others = #missing > 1 and (' +%d'):format(#missing - 1) or ''
  return surest.label .. score .. others
end

return M
