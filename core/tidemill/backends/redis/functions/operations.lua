-- operations: the operation network. Which operations, gates and validators an input concerns, and what comes of it.
--
-- Guarantees: an input that has to be validated concerns its validator only; a gate that has opened stays open.
-- Inputs concern whom their channel says: the plan has worked that out once.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: O.active, O.arrive, O.knock, O.default, O.arrival

function O.active(c, op)
  local operation = c.p.ops[op + 1]
  return operation.stage == c.stage and (operation.groups == 0 or O.open_groups(c, op) == operation.groups)
end

function O.open_groups(c, op)
  local many = 0
  for _, satisfied in ipairs(c.satisfied) do
    if math.floor(satisfied / 64) == op then many = many + 1 end
  end
  return many
end

-- truth: 'T', 'F', or '!' and why the value is neither
function O.arrive(c, item, truth)
  local channel = item.known
  for _, place in ipairs(channel.awaited) do put(c, 'w' .. place[1] .. '.' .. place[2], '1') end
  if channel.validator > 0 then channel = c.p.channels[channel.validator] end
  for at = 1, #channel.targets do
    local target = channel.targets[at]
    local op = target[1]
    if target[2] and O.active(c, op) then
      R.take(c, op, { item.number })
    else
      local places = {}
      for _, parameter in ipairs(target[3]) do
        if I.fits(c, item.number, parameter[2]) then places[#places + 1] = parameter[1] end
      end
      if #places > 0 then M.arrive(c, op, places, item.number) end
    end
  end
  for _, door in ipairs(channel.doors) do O.knock(c, item, truth, door[1], door[2], door[3]) end
end

function O.knock(c, item, truth, op, group, paths)
  local mark = op * 64 + group
  for _, satisfied in ipairs(c.satisfied) do
    if satisfied == mark then return end
  end
  if not I.fits(c, item.number, paths) or truth == 'F' then return end
  if truth ~= 'T' then
    error({ 'ConditionType', 'the condition "' .. item.known.definition .. '" of "' .. c.p.ops[op + 1].instance ..
      '" is neither true nor false: ' .. string.sub(truth, 2) })
  end
  c.satisfied[#c.satisfied + 1] = mark
  c.opened[#c.opened + 1] = item.number
  c.dirty = true
  if O.active(c, op) then
    if c.journal then J.note(c, 'g', op, item.number) end
    M.everything(c, op)
  end
end

function O.default(c, op, parameter)
  if c.journal then J.note(c, 'd', c.numbers, op, parameter, c.p.ops[op + 1].defaults[parameter + 1]) end
  M.arrive(c, op, { parameter }, I.store_default(c, c.p.ops[op + 1].defaults[parameter + 1]))
end

-- the channel under which an output enters: what a validator gave stands for what it was given
function O.arrival(c, channel, parents)
  local known = c.p.channels[channel]
  local alias = known.alias
  if not alias or #parents == 0 then return channel end
  local before = I.channel(c, I.header(c, parents[1])[1])
  if not before then return channel end
  return alias[before.origin] or { channel, before.origin, known.lock, known.dedupe }
end
