-- Read the certificate that an order ended with.
--
-- KEYS[1]  the order's document
-- ARGV[1]  prefix of its account's certificates' keys, which lie in the same slot
--
-- Returns the certificate's document, or nothing where the order is gone or has not ended with one.
local document = redis.call('GET', KEYS[1])
if not document then return false end
local progress = cjson.decode(document).progress
if type(progress) ~= 'table' or progress.type ~= 'issued' then return false end
return redis.call('GET', ARGV[1] .. progress.certificate_id)
