-- Use a nonce up, and say which epoch holds.
--
-- KEYS[1]  hash with the current epoch: run (of the server that began it), secret
-- KEYS[2]  marker of the used nonce
-- ARGV[1]  the secret under which the nonce was made, or "" to learn the epoch only
-- ARGV[2]  seconds for which the marker is kept
-- ARGV[3]  a fresh secret, for a new epoch
--
-- Returns {outcome, secret}: outcome is fresh, used or unknown. A server that was restarted, failed over or
-- flushed may have forgotten used nonces, so it begins a new epoch and every older nonce is void (INV-7).
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local epoch = redis.call('HMGET', KEYS[1], 'run', 'secret')
local secret = epoch[2]
if epoch[1] ~= run or not secret then
  secret = ARGV[3]
  redis.call('HSET', KEYS[1], 'run', run, 'secret', secret)
end
if ARGV[1] == '' or ARGV[1] ~= secret then return {'unknown', secret} end
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return {'fresh', secret} end
return {'used', secret}
