-- opening: contexts begin, take inputs, are closed and cancelled.
--
-- Guarantees: a name is one context until it has been asked for; inputs are stored and matched in the step that takes them, so no
-- combination is ever missed; all of a batch are stored before the first is matched.
-- An offer: {channel, value, uids of parents, uid, truth, canonical}
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.give, S.new_id, S.open, S.stop_intake

local function store(c, offers)
  local new = {}
  for _, offer in ipairs(offers) do
    local parents, uid = {}, offer[4]
    if c.journal then c.uid = uid end
    for at, parent in ipairs(offer[3]) do parents[at] = tonumber(get(c, 'n' .. parent)) end
    local item, there = I.store(c, offer[1], offer[2], parents, 0, c.given, offer[6], offer[5])
    c.given = c.given + 1
    if uid ~= '' then put(c, 'n' .. uid, tostring(item and item.number or there)) end
    if item then
      if uid ~= '' then put(c, 'u' .. word(item.number), uid) end
      item.truth = offer[5]
      new[#new + 1] = item
    end
  end
  return new
end

local function arrive(c, items)
  for _, item in ipairs(items) do O.arrive(c, item, item.truth) end
end

function S.give(c, offers)
  local new = store(c, offers)
  arrive(c, new)
  return #new
end

-- a number that no context has had
function S.new_id() return string.format('%.0f', W.epoch() * 2 ^ 32 + redis.call('INCR', K.serial)) end

-- stage: where more of its offers are, in the place of those that come along
function S.open(id, fields, offers, hold, stage)
  local c = new_context(id, fields)
  redis.call('HSET', K.names, c.name, id)
  if c.parent ~= '' then
    redis.call('HSET', key('parents'), id, cmsgpack.pack({ c.name, c.parent, c.place }))
  elseif c.group ~= '' then
    G.opened(c)
  end
  c.held = hold
  if c.journal then J.opened(c) end
  if stage or S.has_many_seeds(c.p) then
    S.begin_feeding(c, offers, hold, stage)
    return c
  end
  S.guarded(c, function()
    local seeds = store(c, c.p.seeds)
    for _, op in ipairs(c.p.autostart) do R.take(c, op, {}) end
    arrive(c, seeds)
    S.give(c, offers)
    if not hold then S.given_defaults(c) end
  end)
  S.quiet(c)
  return c
end

function S.stop_intake(c)
  c.dirty = true
  if #c.feeding > 0 then
    c.feeding[2] = false  -- as soon as all is in
    return
  end
  c.held = false
  S.guarded(c, function()
    if c.stage == 'processing' then S.given_defaults(c) end
  end)
  S.quiet(c)
end
