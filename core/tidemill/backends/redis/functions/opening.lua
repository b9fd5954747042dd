-- opening: contexts begin, take inputs, are closed and cancelled.
--
-- Guarantees: a name is one context until it has been asked for; inputs are stored and matched in the step that takes them, so no
-- combination is ever missed; an input with a uid that the context knows is not added again.
-- An offer: {channel, value, uids of parents, uid, truth, canonical}
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.give, S.open, S.stop_intake

function S.give(c, offers)
  local new = 0
  for _, offer in ipairs(offers) do
    local uid = offer[4]
    local known = uid ~= '' and get(c, 'n' .. uid)
    if not known then
      local parents = {}
      for at, parent in ipairs(offer[3]) do parents[at] = tonumber(get(c, 'n' .. parent)) end
      local item = I.store(c, offer[1], offer[2], parents, 0, c.given, I.locks_of(c, parents), offer[6], offer[5])
      c.given = c.given + 1
      if item then
        new = new + 1
        if uid ~= '' then
          put(c, 'n' .. uid, tostring(item.number))
          put(c, 'u' .. item.number, uid)
        end
        item.truth = offer[5]
        O.arrive(c, item, offer[5])
      end
    end
  end
  return new
end

function S.open(id, fields, offers, hold)
  local c = new_context(id, fields)
  redis.call('HSET', K.names, c.name, id)
  c.held = hold
  S.guarded(c, function()
    for _, op in ipairs(c.p.autostart) do R.take(c, op, {}) end
    S.give(c, c.p.seeds)
    S.give(c, offers)
    if not hold then S.given_defaults(c) end
  end)
  S.quiet(c)
  return c
end

function S.stop_intake(c)
  c.held, c.dirty = false, true
  S.guarded(c, function()
    if c.stage == 'processing' then S.given_defaults(c) end
  end)
  S.quiet(c)
end
