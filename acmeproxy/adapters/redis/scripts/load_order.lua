-- Read an order and its authorizations as they are at one moment (ORD-09).
--
-- KEYS[1]  the order's document
-- ARGV[1]  prefix of its authorizations' keys, which lie in the same slot
--
-- Returns {order document, authorization document, ...} in the order's order, or nothing.
local document = redis.call('GET', KEYS[1])
if not document then return {} end
local found = {document}
for _, id in ipairs(cjson.decode(document).authorizations) do
  found[#found + 1] = redis.call('GET', ARGV[1] .. id) or ''
end
return found
