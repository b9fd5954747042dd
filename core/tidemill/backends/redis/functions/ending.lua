-- ending: what became of a context, for whoever opened it.
--
-- Guarantees: an ending is kept until it has been asked for; the context itself, and all that belongs to it, is deleted in the
-- step that ends it; results come in canonical order.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.guarded, S.finish

function S.guarded(c, step)
  local ok, problem = pcall(step)
  if ok then return true end
  if type(problem) ~= 'table' then error(problem) end
  S.fail(c, cmsgpack.pack({ reason = problem[1], message = problem[2] }))
  return false
end

-- what became of a context, for whoever opened it; the context itself is deleted
function S.finish(c)
  local results, failures = {}, {}
  for at = 0, c.results - 1 do results[at + 1] = cmsgpack.unpack(get(c, 'o' .. at)) end
  if #results > 1 and c.failure == '' then
    local rank = O.ranks(c)
    for _, entry in ipairs(results) do
      entry.place = {}
      for at, number in ipairs(R.numbers_of(entry[2])) do entry.place[at] = rank[number] end
    end
    table.sort(results, function(a, b)
      if a[1] ~= b[1] then return a[1] < b[1] end
      for at = 1, #a.place do
        if a.place[at] ~= b.place[at] then return a.place[at] < b.place[at] end
      end
      return false
    end)
    for _, entry in ipairs(results) do entry.place = nil end
  end
  for at = 0, c.failures - 1 do failures[at + 1] = get(c, 'f' .. at) end
  local items = {}
  if c.lineage then
    for number = 0, c.numbers - 1 do
      local head, value = I.header(c, number)
      items[number + 1] = { head[1], head[2], head[3], head[4], value, get(c, 'u' .. number) or '' }
    end
  end
  local ending = cmsgpack.pack({ c.name, c.plan, c.failure, failures, c.notes, c.inputs, c.taken, results, items })
  c.stage, c.failed_stage = '', ''
  forget(c)
  if c.parent ~= '' then
    C.ended(c.parent, ending)
  else
    redis.call('HSET', key('ended'), c.name, ending)
    if c.owner ~= '' then redis.call('RPUSH', key('inbox', c.owner), c.name) end
  end
end
