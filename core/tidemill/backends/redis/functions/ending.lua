-- ending: what became of a context, for whoever opened it.
--
-- Guarantees: an ending is kept until it has been asked for; the context itself, and all that belongs to it, is deleted in the
-- step that ends it; results come in canonical order.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.failure, S.guarded, S.count, S.finish

function S.failure(c, reason, message) return cmsgpack.pack({ reason = reason, message = message, context = c.name }) end

-- do what may pass a limit of the context: then that fails, and nobody else
function S.guarded(c, step)
  local ok, problem = pcall(step)
  if ok then return true end
  if type(problem) ~= 'table' then error(problem) end
  S.fail(c, S.failure(c, problem[1], problem[2]))
  return false
end

-- refuse so many inputs more if they pass the limit; what a context had when it failed does not count for its clean-up
function S.count(c, more)
  local limit, have = c.p.limits.inputs, c.numbers - c.forgiven[1] + more
  if limit < 0 or have <= limit then return end
  error({ 'InputLimitExceeded', string.format('the context would have %.0f inputs; limit %.0f', have, limit) })
end

-- results by operation, those of one operation by the places of their inputs: of what has given a single one nobody asks for that
local function bring_into_order(c, results)
  local many, numbers, place = {}, {}, {}
  for _, entry in ipairs(results) do many[entry[1]] = (many[entry[1]] or 0) + 1 end
  for _, entry in ipairs(results) do
    for _, number in ipairs(many[entry[1]] > 1 and R.numbers_of(entry[2]) or {}) do numbers[#numbers + 1] = number end
  end
  local rank = O.ranks(c, numbers)
  for _, entry in ipairs(results) do
    place[entry] = {}
    for at, number in ipairs(R.numbers_of(entry[2])) do place[entry][at] = rank[number] end
  end
  table.sort(results, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    local mine, theirs = place[a], place[b]
    for at = 1, #mine do
      if mine[at] ~= theirs[at] then return mine[at] < theirs[at] end
    end
    return false
  end)
end

-- what became of a context, for whoever opened it; the context itself is deleted
function S.finish(c)
  local results, failures = {}, {}
  for at = 0, c.results - 1 do results[at + 1] = cmsgpack.unpack(get(c, 'o' .. word(at))) end
  if #results > 1 and c.failure == '' then bring_into_order(c, results) end
  for at = 0, c.failures - 1 do failures[at + 1] = get(c, 'f' .. at) end
  local items = {}
  if c.lineage then
    for _, letter in ipairs({ 'i', 'u' }) do I.fetch(c, letter, 0, c.numbers - 1) end
    for number = 0, c.numbers - 1 do
      local head, value = I.header(c, number)
      items[number + 1] = { head[1], head[2], head[3], head[4], value, get(c, 'u' .. word(number)) or '' }
    end
  end
  local ending = cmsgpack.pack({ c.name, c.plan, c.failure, failures, c.notes, c.inputs, c.taken, results, items, c.owner[1] or '' })
  c.stage, c.failed_stage = '', ''
  if c.journal then J.ended(c, results, failures) end
  forget(c)
  if c.parent ~= '' then
    redis.call('HDEL', key('parents'), c.id)
    local above = string.match(c.parent, '^%d+')
    if context(above) then B.hand_on(c.id, above) else B.drop(c.id) end
    C.ended(c.parent, c.place, ending)
  else
    if B.held() then B.hand_on(c.id, B.ending(c.name)) end
    S.keep(c, ending, failures[1])
  end
end
