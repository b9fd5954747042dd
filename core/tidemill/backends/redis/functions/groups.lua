-- groups: contexts that are counted, held up, resumed, cancelled and dropped together. A child is of the group of its parent.
--
-- Guarantees: of a group that is suspended nothing is leased: what becomes ready is put aside, and what is ready already is when
-- somebody comes upon it, so suspending is one step however much there is; none of it keeps a place of its operation.
-- Keys: `group:<group>` its state and its counters; `open:<group>` the contexts of it that are open, children not; `done:<group>`
-- those whose endings are kept; `aside:<group>` what is put aside; `samples:<group>` some failures; `grouped` the groups of all these.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: G.begin, G.state, G.set, G.stands, G.count, G.opened, G.ended, G.of, G.forget, G.aside, G.flush

local SAMPLES = 10   -- failures that a group keeps
local LONG = 1024    -- bytes of a failure's message that a sample keeps

local states = {}    -- group -> its state, of this call
local added = {}     -- group -> counter -> how much is to be added
local set_aside = {} -- group -> what is to be put aside

local some          -- whether there are contexts of groups at all; nil: it has not been looked at in this call

function G.begin() states, added, set_aside, some = {}, {}, {}, nil end

-- 'active', 'suspended', 'cancelled' or 'dropped'
function G.state(group)
  if group == '' then return 'active' end
  local state = states[group]
  if not state then
    state = redis.call('HGET', key('group', group), 'state') or 'active'
    states[group] = state
  end
  return state
end

function G.set(group, state)
  if state == 'active' then
    redis.call('HDEL', key('group', group), 'state')
  else
    redis.call('HSET', key('group', group), 'state', state)
  end
  states[group] = state
end

-- whether nothing of a group may be leased now
function G.stands(group)
  if group == '' then return false end
  local state = G.state(group)
  return state == 'suspended' or state == 'dropped'
end

function G.count(group, counter)
  local counters = added[group] or {}
  added[group] = counters
  counters[counter] = (counters[counter] or 0) + 1
end

function G.opened(c)
  redis.call('HSET', key('open', c.group), c.name, c.id)
  redis.call('HSET', key('grouped'), c.name, c.group)
  some = true
  G.count(c.group, 'opened')
end

-- a context has succeeded or failed; `failure` is what made it fail, or the first that it survived, if there is one
function G.ended(name, group, how, failure)
  redis.call('HDEL', key('open', group), name)
  redis.call('HSET', key('done', group), name, how)
  G.count(group, how)
  if not failure or redis.call('LLEN', key('samples', group)) >= SAMPLES then return end
  local said = cmsgpack.unpack(failure)
  redis.call('RPUSH', key('samples', group), cmsgpack.pack({ name, said.reason, string.sub(said.message, 1, LONG),
    said.instance or '', said.operation or '' }))
end

-- the group of a context that nobody can ask for it any more
function G.of(name) return redis.call('HGET', key('grouped'), name) or '' end

-- the ending of a context is forgotten
function G.forget(name)
  if some == nil then some = redis.call('EXISTS', key('grouped')) == 1 end
  if not some then return end
  local group = G.of(name)
  if group == '' then return end
  redis.call('HDEL', key('grouped'), name)
  redis.call('HDEL', key('done', group), name)
end

-- counted: it has been said to be dispatched
function G.aside(c, r, counted)
  local entries = set_aside[c.group] or {}
  set_aside[c.group] = entries
  entries[#entries + 1] = c.id .. ' ' .. r.id .. (counted and ' counted' or '')
end

function G.flush()
  for group, entries in pairs(set_aside) do
    for at = 1, #entries, 4000 do
      redis.call('RPUSH', key('aside', group), unpack(entries, at, math.min(at + 3999, #entries)))
    end
  end
  for group, counters in pairs(added) do
    for counter, by in pairs(counters) do redis.call('HINCRBY', key('group', group), counter, by) end
  end
end
