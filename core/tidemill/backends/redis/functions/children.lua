-- children: an operation that runs data flows waits for child contexts, and holds no worker while it does.
--
-- Guarantees: when the last child has ended its parameter set is dispatched again, in the same step; where inputs are forwarded,
-- children are held open until nothing else of the parent can give any more, and get them all at once, in
-- canonical order; when the parent fails, its children are cancelled and waited for.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: C.open, C.ended, C.resume, C.cancel, C.release

function C.open(c, r, children)
  local operation = c.p.ops[R.op_of(r.id) + 1]
  local hold = operation.forwards ~= false and #children > 0
  r.state, r.waiting, r.endings, r.children = 'parent', #children, {}, {}
  c.kids[#c.kids + 1] = r.id
  if hold then c.holding = c.holding + 1 end
  R.keep(c, r)
  local parent = c.id .. ' ' .. r.id
  for _, child in ipairs(children) do
    local name = c.name .. '/' .. operation.instance .. '/' .. child[1]
    if redis.call('HEXISTS', K.names, name) == 1 then
      local said = 'there is a context "' .. name .. '" already; a context is known by its name, so give this one another'
      local failure = cmsgpack.pack({ reason = 'DuplicateContext', message = said })
      C.ended(parent, cmsgpack.pack({ name, child[2], failure, {}, {}, 0, 0, {}, {} }))
    else
      local id = tostring(redis.call('INCR', K.serial))
      local known = R.record(c, r.id)
      known.children[#known.children + 1] = id
      R.keep(c, known)
      S.open(id, { name = name, plan = child[2], strict = child[3], parent = parent, depth = c.depth + 1,
        lineage = c.lineage }, child[4], hold)
    end
  end
  if #children == 0 then
    C.resume(c, r)
  else
    S.quiet(c)
  end
end

function C.ended(parent, ending)
  local c = context(string.match(parent, '^%d+'))
  local r = c and R.record(c, string.match(parent, ' (.*)$'))
  if not r or r.state ~= 'parent' then return end
  r.waiting = r.waiting - 1
  r.endings[#r.endings + 1] = ending
  R.keep(c, r)
  if r.waiting == 0 then C.resume(c, r) end
end

function C.resume(c, r)
  for at, id in ipairs(c.kids) do
    if id == r.id then
      table.remove(c.kids, at)
      break
    end
  end
  c.dirty = true
  local operation = c.p.ops[R.op_of(r.id) + 1]
  if c.stage ~= operation.stage then
    drop(c, 'p' .. r.id)
    c.open = c.open - 1
    S.quiet(c)
    return
  end
  r.state, c.backlog = 'taken', c.backlog + 1
  P.dispatch(c, r)
end

local function each_child(c, act)
  local kids = {}
  for at, id in ipairs(c.kids) do kids[at] = id end
  for _, id in ipairs(kids) do
    local r = R.record(c, id)
    for _, child in ipairs(r and r.children or {}) do
      local other = context(child)
      if other then act(other, r) end
    end
  end
end

function C.cancel(c)
  each_child(c, function(child)
    local said = 'the context "' .. c.name .. '" that it belongs to has failed'
    S.fail(child, cmsgpack.pack({ reason = 'Cancelled', message = said }))
  end)
end

-- an input of the parent enters a child under its own origin if the child's plan knows that, else as a seed
local function forward(child, c, number)
  local head, value = I.header(c, number)
  local known = c.p.channels[head[1]]
  local channel = child.p.by_origin[known.spelt .. ' ' .. known.definition] or child.p.by_origin['seed ' .. known.definition]
  S.give(child, { { channel or { 'seed', known.definition }, value, {}, '', head[7] or 'T', head[6] } })
end

function C.release(c)
  c.holding = 0
  local rank, held = nil, {}
  each_child(c, function(child, r)
    if not child.held then return end
    rank = rank or O.ranks(c)
    local wanted, numbers = c.p.ops[R.op_of(r.id) + 1].forwards, {}
    for number = 0, c.numbers - 1 do
      local channel = I.header(c, number)[1]
      local known = type(channel) == 'number' and c.p.channels[channel]
      if known and wanted[known.definition] then numbers[#numbers + 1] = number end
    end
    table.sort(numbers, function(a, b) return rank[a] < rank[b] end)
    held[#held + 1] = child
    S.guarded(child, function()
      for _, number in ipairs(numbers) do forward(child, c, number) end
    end)
  end)
  for _, child in ipairs(held) do S.stop_intake(child) end
end
