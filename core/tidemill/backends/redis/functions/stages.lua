-- stages: what happens when a context is quiet, and when it fails.
--
-- Guarantees: the step that ends the last work of a stage moves the context on, so nobody polls for it; a context that fails
-- drops what is not leased, waits for what is, cleans up, and has no output stage.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.quiet, S.fail

local MANY_BOXES = 256   -- boxes that are dropped at once; more are left for later

local AFTER = { processing = 'cleanup', cleanup = 'output' }

local function next_stage(c)
  local stage = c.stage ~= '' and c.stage or c.failed_stage
  local following = AFTER[stage]
  if following == 'output' and c.failure ~= '' then following = nil end
  if not following then
    S.finish(c)
    return false
  end
  c.stage, c.failed_stage, c.dirty = following, '', true
  c.sealed[stage] = c.numbers
  if following == 'output' then c.visible = c.numbers end
  if c.journal then J.note(c, 'S', following) end
  local ops = c.p.ops
  for at = 1, #ops do
    if ops[at].stage == following and c.stage == following and O.active(c, at - 1) then
      if c.journal and ops[at].groups > 0 then J.note(c, 'g', at - 1, -1) end
      M.everything(c, at - 1)
    end
  end
  return true
end

-- whether nothing can go on but what waits for the quiet: child contexts that are held open, and what waits for locks that their
-- parameter sets keep meanwhile
local function is_quiet(c)
  if c.held then return false end
  local others = c.open - #c.holding
  if others == 0 then return true end
  return #c.holding > 0 and c.leased == 0 and others == L.waiting(c)
end

function S.quiet(c)
  local on = true
  while on and loaded[c.id] and is_quiet(c) do
    if #c.holding > 0 then
      C.release(c)
    else
      on = S.guarded(c, function() on = take_defaults(c) or next_stage(c) end) and on
    end
  end
end

local function drop_boxes(c)
  if c.box_next - c.box_first > MANY_BOXES then
    X.push('boxes', c.id, c.box_next - 1, c.box_first)
  else
    for at = c.box_first, c.box_next - 1 do drop(c, 'b' .. word(at)) end
  end
  c.box_first = c.box_next
end

function S.fail(c, failure)
  c.dirty = true
  if c.journal then J.note(c, 'F', failure) end
  if c.failure == '' then
    c.failure = failure
  else
    put(c, 'f' .. c.failures, failure)
    c.failures = c.failures + 1
  end
  if c.stage == 'processing' or c.stage == 'output' then
    c.failed_stage, c.stage = c.stage, ''
    drop_boxes(c)
    local renamed = L.clear(c) or nil
    c.promised, c.backlog, c.holding, c.held = 0, 0, {}, false
    c.forgiven = { c.numbers, c.taken, renamed }
    c.open = c.leased + #c.kids
    C.cancel(c)
  end
  S.quiet(c)
end
