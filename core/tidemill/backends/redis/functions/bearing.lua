-- bearing: many children of one parameter set are opened piece by piece, and those of a context cancelled so.
--
-- Guarantees: a parameter set waits for all that it has asked for from the first step on, so it does not matter where they are cut;
-- where inputs are forwarded, nothing is before all children are open. Those that are not open when their parent fails never are.
-- However many children and grandchildren there are, a call cancels only some; the parent waits for all.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: C.begin, C.put_off, C.cancel, and chores: bear, cancel

local BORN = 32     -- children that are opened at once
local CANCELLED = 16  -- children that one call cancels, children of theirs included

local room = CANCELLED

function C.begin() room = CANCELLED end

local function stage_of(id, set) return 'p' .. id .. ' ' .. set end

-- have children opened later if they are too many for now -> whether they are
function C.put_off(c, r, children)
  if #children <= BORN then return false end
  local stage, seen = stage_of(c.id, r.id), {}
  for at = 1, #children, BORN do
    local piece = {}
    for place = at, math.min(at + BORN - 1, #children) do
      local child = children[place]
      child[5] = child[5] or false
      child[6] = seen[child[1]] or false  -- the first of its name may have ended by then
      seen[child[1]], piece[#piece + 1] = true, child
      for _, offer in ipairs(child[4] or {}) do B.hold('s' .. stage, offer[2]) end
    end
    redis.call('RPUSH', key('staged', stage), cmsgpack.pack(piece))
  end
  X.push('bear', c.id, r.id, 1)
  return true
end

-- open a piece, the first of which has this place -> the place of the next one, or true: that was all
local function bear_piece(id, set, place)
  local c = context(id, 'p' .. set)
  local r = c and R.record(c, set)
  if not r or r.state ~= 'parent' then return true end
  local operation = c.p.ops[r.op + 1]
  local raw = redis.call('LPOP', key('staged', stage_of(id, set)))
  if c.stage ~= operation.stage or not raw then
    r.waiting = r.waiting - (#r.endings - place + 1)
    R.keep(c, r)
    if r.waiting == 0 then C.resume(c, r) end
    return true
  end
  local piece = cmsgpack.unpack(raw)
  local following, hold = place + #piece, operation.forwards ~= false
  if hold and following > #r.endings then c.holding[#c.holding + 1] = r.id end
  c.dirty = true
  C.bear(c, r, piece, place, hold)
  if following > #r.endings then S.quiet(c) end
  return following > #r.endings or following
end

function X.DO.bear(id, set, place)
  local over = S.sound(id, bear_piece, id, set, place)
  if over == true or not over then
    S.unstage(stage_of(id, set))
    return true
  end
  return over
end

-- cancel children of some parameter sets, from a place on -> the place of the next one, or true: that was all
local function cancel_some(c, sets, at, first)
  while at <= #sets do
    local r = R.record(c, sets[at])
    for place = first, r and #r.children or 0 do
      if room == 0 then return at .. ' ' .. place end
      room = room - 1
      local child = context(r.children[place])
      if child then
        S.fail(child, S.failure(child, 'Cancelled', 'the context "' .. c.name .. '" that it belongs to has failed'))
      end
    end
    at, first = at + 1, 1
  end
  return true
end

-- a context has failed: so have its children, some of them later
function C.cancel(c)
  if #c.kids == 0 then return end
  local sets = {}
  for at, id in ipairs(c.kids) do sets[at] = id end
  local following = cancel_some(c, sets, 1, 1)
  if following ~= true then X.push('cancel', c.id, cmsgpack.pack(sets), following) end
end

function X.DO.cancel(id, sets, from)
  local c = context(id)
  local at, first = string.match(from, '^(%d+) (%d+)$')
  return not c or S.sound(id, cancel_some, c, cmsgpack.unpack(sets), tonumber(at), tonumber(first)) or true
end
