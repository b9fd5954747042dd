-- packing: a context as it is stored, and as it is worked on.
--
-- Guarantees: what is packed is read back as it was; the order of the fields is the layout, so a change of it changes the version.
-- What is read has in `set` what is to be written, in `read` what is known of its other fields, in `gone` what is to be deleted.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: packed, unpacked

local function unpacked(raw)
  local f = cmsgpack.unpack(raw)
  return { id = f[1], name = f[2], plan = f[3], strict = f[4], stage = f[5], failed_stage = f[6], held = f[7], closed = f[8],
    open = f[9], leased = f[10], backlog = f[11], taken = f[12], promised = f[13], inputs = f[14], given = f[15],
    numbers = f[16], visible = f[17], holding = f[18], depth = f[19], parent = f[20], place = f[21], owner = f[22],
    failure = f[23], lineage = f[24], box_first = f[25], box_next = f[26], results = f[27], failures = f[28], notes = f[29],
    satisfied = f[30], opened = f[31], sealed = f[32], forgiven = f[33], aux = f[34], kids = f[35], turns = f[36],
    group = f[37] or '', feeding = f[38] or {}, set = {}, read = {}, gone = {}, heads = {} }
end

local function packed(c)
  return cmsgpack.pack({ c.id, c.name, c.plan, c.strict, c.stage, c.failed_stage, c.held, c.closed, c.open, c.leased, c.backlog,
    c.taken, c.promised, c.inputs, c.given, c.numbers, c.visible, c.holding, c.depth, c.parent, c.place, c.owner, c.failure,
    c.lineage, c.box_first, c.box_next, c.results, c.failures, c.notes, c.satisfied, c.opened, c.sealed, c.forgiven, c.aux,
    c.kids, c.turns, c.group, c.feeding })
end
