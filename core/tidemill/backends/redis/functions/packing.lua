-- packing: a context as it is stored, and as it is worked on.
--
-- Guarantees: what is packed is read back as it was; the order of the fields is the layout, so a change of it changes the version.
-- What is read has in `set` what is to be written, in `read` what is known of its other fields, in `gone` what is to be deleted.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: packed, unpacked, spell, spelt, listed

local spelt, many_spelt = {}, 0   -- number, truth or short word → how it is packed: most of what is packed comes again and again

local function spell(value)
  local raw = cmsgpack.pack(value)
  if type(value) == 'number' and value >= 1024 then return raw end
  if many_spelt >= 4096 then
    for known in pairs(spelt) do spelt[known] = nil end
    many_spelt = 0
  end
  spelt[value], many_spelt = raw, many_spelt + 1
  return raw
end

local function listed(list) return next(list) == nil and '\144' or cmsgpack.pack(list) end

local function unpacked(raw)
  local f = cmsgpack.unpack(raw)
  return { id = f[1], name = f[2], plan = f[3], strict = f[4], stage = f[5], failed_stage = f[6], held = f[7], closed = f[8],
    open = f[9], leased = f[10], backlog = f[11], taken = f[12], promised = f[13], inputs = f[14], given = f[15],
    numbers = f[16], visible = f[17], holding = f[18], depth = f[19], parent = f[20], place = f[21], owner = f[22],
    failure = f[23], lineage = f[24], box_first = f[25], box_next = f[26], results = f[27], failures = f[28], notes = f[29],
    satisfied = f[30], opened = f[31], sealed = f[32], forgiven = f[33], aux = f[34], kids = f[35], turns = f[36],
    group = f[37] or '', feeding = f[38] or {}, journal = f[39], events = f[40], set = {}, read = {}, gone = {}, heads = {}, stored = true }
end

local packed
do
  -- what never changes is packed once; owners only become more
  local function begins(c)
    c.begins = (c.journal and '\220\0\40' or '\220\0\38') .. cmsgpack.pack(c.id, c.name, c.plan, c.strict)
    return c.begins
  end

  local function owned(c)
    c.owners, c.owned = #c.owner, cmsgpack.pack(c.depth, c.parent, c.place, c.owner)
    return c.owned
  end

  -- what is hardly ever there
  local function rare(c)
    if #c.notes + #c.satisfied + #c.opened + #c.aux + #c.kids + c.forgiven[1] + c.forgiven[2] == 0 then
      return '\144\144\144' .. listed(c.sealed) .. '\146\0\0\144\144'
    end
    return listed(c.notes) .. listed(c.satisfied) .. listed(c.opened) .. listed(c.sealed) .. cmsgpack.pack(c.forgiven)
      .. listed(c.aux) .. listed(c.kids)
  end

  function packed(c)
    local s = spelt
    return (c.begins or begins(c))
      .. (s[c.stage] or spell(c.stage)) .. (s[c.failed_stage] or spell(c.failed_stage))
      .. (s[c.held] or spell(c.held)) .. (s[c.closed] or spell(c.closed))
      .. (s[c.open] or spell(c.open)) .. (s[c.leased] or spell(c.leased)) .. (s[c.backlog] or spell(c.backlog))
      .. (s[c.taken] or spell(c.taken)) .. (s[c.promised] or spell(c.promised)) .. (s[c.inputs] or spell(c.inputs))
      .. (s[c.given] or spell(c.given)) .. (s[c.numbers] or spell(c.numbers)) .. (s[c.visible] or spell(c.visible))
      .. (#c.holding == 0 and '\144' or cmsgpack.pack(c.holding)) .. (c.owners == #c.owner and c.owned or owned(c))
      .. (c.failure == '' and '\160' or cmsgpack.pack(c.failure)) .. (s[c.lineage] or spell(c.lineage))
      .. (s[c.box_first] or spell(c.box_first)) .. (s[c.box_next] or spell(c.box_next))
      .. (s[c.results] or spell(c.results)) .. (s[c.failures] or spell(c.failures))
      .. rare(c) .. (s[c.turns] or spell(c.turns)) .. (s[c.group] or spell(c.group))
      .. (#c.feeding == 0 and '\144' or cmsgpack.pack(c.feeding)) .. (c.journal and cmsgpack.pack(c.journal, c.events) or '')
  end
end
