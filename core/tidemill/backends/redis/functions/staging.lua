-- staging: inputs of a new context that are too many for one call wait in the store, and go into the context piece by piece.
--
-- Guarantees: a context is opened when all of its inputs are in the store, or it is not opened at all: whoever submits it may
-- vanish at any moment. Until the last piece is in, the context is held open, so nothing of it depends on where it was cut;
-- it is fed by whoever calls next, also when its submitter is no more. What is staged and not opened in time is forgotten.
-- Keys: `staged:<stage>` pieces of offers, oldest first; its blobs have the holder 's<stage>'.
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: S.staged, S.unstage, S.has_many_seeds, S.begin_feeding, and the chore: feed

local STAGED = 3600   -- seconds after which what is staged and not opened is forgotten
local SEEDS = 64      -- inputs of the data flow itself that go in at once

local function due_in(seconds) return string.format('%.17g', -seconds) end

-- how many pieces are there
function S.staged(stage) return redis.call('LLEN', key('staged', stage)) end

function S.unstage(stage)
  redis.call('UNLINK', key('staged', stage))
  redis.call('ZREM', key('due'), 's' .. stage)
  X.push('holds', 's' .. stage)
end

function S.has_many_seeds(plan) return #plan.seeds > SEEDS end

-- { stage, whether the context is held open after that, the next input of the data flow itself }
function S.begin_feeding(c, offers, hold, stage)
  c.feeding, c.held = { stage or 'c' .. c.id, hold, 1 }, true
  if #offers > 0 then
    for _, offer in ipairs(offers) do B.hold('s' .. c.feeding[1], offer[2]) end
    redis.call('RPUSH', key('staged', c.feeding[1]), cmsgpack.pack(offers))
  end
  redis.call('ZREM', key('due'), 's' .. c.feeding[1])
  X.push('feed', c.id, c.feeding[1])
  S.guarded(c, function()
    for _, op in ipairs(c.p.autostart) do R.take(c, op, {}) end
  end)
end

-- inputs that are added to a context, in the same way; how many of them were new is counted
function S.feed_more(c, stage, pieces)
  if S.staged(stage) ~= pieces then return 'STAGE' end
  c.feeding, c.held, c.dirty = { stage, c.held, #c.p.seeds + 1, 0 }, true, true
  if c.journal then J.note(c, 'a') end
  redis.call('ZREM', key('due'), 's' .. stage)
  X.push('feed', c.id, stage)
  return 'OK'
end

-- some inputs of the data flow itself, then a piece of what was given -> whether nothing is left of either
local function feed_piece(c)
  local seeds = {}
  for at = c.feeding[3], math.min(c.feeding[3] + SEEDS, #c.p.seeds + 1) - 1 do seeds[#seeds + 1] = c.p.seeds[at] end
  c.feeding[3], c.dirty = c.feeding[3] + #seeds, true
  if #seeds > 0 then
    S.give(c, seeds)
  else
    local offers = redis.call('LPOP', key('staged', c.feeding[1]))
    local new = offers and S.give(c, cmsgpack.unpack(offers)) or 0
    if c.feeding[4] then c.feeding[4] = c.feeding[4] + new end
  end
  return c.feeding[3] > #c.p.seeds and S.staged(c.feeding[1]) == 0
end

local function feed_context(id)
  local c = context(id)
  if not c or #c.feeding == 0 then return true end
  local over = c.stage ~= 'processing' or not c.held
  if not over then
    local fine = S.guarded(c, function() over = feed_piece(c) end)
    over = over or not fine
  end
  if not over then return '0' end
  local stage, hold = c.feeding[1], c.feeding[2]
  if c.feeding[4] then put(c, 'a' .. stage, tostring(c.feeding[4])) end
  c.feeding, c.dirty = {}, true
  S.unstage(stage)
  if c.stage == 'processing' and c.held and not hold then S.stop_intake(c) end
  return true
end

-- a context gets its next piece
function X.DO.feed(id, stage)
  local over = S.sound(id, feed_context, id)
  if not loaded[id] then S.unstage(stage) end
  return over or true
end

-- stage: {stage, number of the piece, offers} -> how many pieces there are
local function stage(a)
  local at = key('staged', a[1])
  local many = redis.call('LLEN', at)
  if many ~= a[2] then return many end  -- it has come before, or something before it is gone
  for _, offer in ipairs(a[3]) do B.hold('s' .. a[1], offer[2]) end
  redis.call('ZADD', key('due'), due_in(STAGED), 's' .. a[1])
  return redis.call('RPUSH', at, cmsgpack.pack(a[3]))
end

-- feed: {name, a stage that was added or ''} -> {whether more is to be fed to the context, 1 or 0; a piece is; how many of the
-- stage were new, -1 where that is not known}
local function feed(a)
  local id = redis.call('HGET', K.names, a[1])
  local c = id and context(id)
  local more = c and #c.feeding > 0 and X.DO.feed(id, c.feeding[1]) ~= true and 1 or 0
  c = id and context(id)
  return { more, c and a[2] ~= '' and tonumber(get(c, 'a' .. a[2]) or '-1') or -1 }
end

redis.register_function('tidemill_1_stage', step(stage))
redis.register_function({ function_name = 'tidemill_1_feed', callback = step(feed), flags = DRAINS })
