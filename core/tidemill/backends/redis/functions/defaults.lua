-- defaults: when a parameter takes the default of its definition.
--
-- Guarantees: at once where only given inputs could stand and none was given; else at quiet, those first that no other waiting
-- operation can feed, those in a circle together. So the outcome does not depend on any order.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.given_defaults, and take_defaults for the stages

local function has_candidate(c, op, parameter) return M.count(c, op, parameter) > 0 end

function S.given_defaults(c)
  if not c.p.has_defaults then return end
  for at, operation in ipairs(c.p.ops) do
    for parameter = 0, operation.n - 1 do
      if operation.only_given[parameter + 1] and not has_candidate(c, at - 1, parameter)
        and not get(c, 'w' .. (at - 1) .. '.' .. parameter) then
        O.default(c, at - 1, parameter)
      end
    end
  end
end

local function waiting(c)
  local found = {}
  for at, operation in ipairs(c.p.ops) do
    if operation.stage == c.stage and O.active(c, at - 1) then
      local missing, all = {}, true
      for parameter = 0, operation.n - 1 do
        if not has_candidate(c, at - 1, parameter) then
          all = all and operation.defaults[parameter + 1] ~= false
          missing[#missing + 1] = { at - 1, parameter }
        end
      end
      for _, place in ipairs(all and missing or {}) do found[#found + 1] = place end
    end
  end
  return found
end

local function leads(c, from, place)
  return c.p.ops[from[1] + 1].leads[place[1] .. ':' .. place[2]] == true
end

-- those that no other waiting one can feed, unless both can feed each other
local function take_defaults(c)
  if not c.p.has_defaults or c.stage == '' then return false end
  local all, due = waiting(c), {}
  for _, place in ipairs(all) do
    local fed = false
    for _, other in ipairs(all) do
      fed = fed or (other[1] ~= place[1] and leads(c, other, place) and not leads(c, place, other))
    end
    if not fed then due[#due + 1] = place end
  end
  for _, place in ipairs(due) do O.default(c, place[1], place[2]) end
  return #due > 0
end
