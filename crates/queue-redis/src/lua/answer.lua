-- KEYS: processing, record, common list of responses, dead.
-- ARGV: prefix of claims, id, token, reply list, response, result, status, timestamp, how long the record is kept (ms; 0: there is
--       to be none), how long reply lists live (ms), length of the common list, the dead letter
--       (empty: it is none).
-- Answers: what, and remarks.
local processing, record = KEYS[1], KEYS[2]
local id, response = ARGV[2], ARGV[5]
local claim = ARGV[1] .. id
local replies = { common = KEYS[3], ttl = tonumber(ARGV[10]), max_common = tonumber(ARGV[11]) }

if not held(processing, claim, id, ARGV[3]) then
    return { 'lost' }
end
if ARGV[12] ~= '' and failed(redis.pcall('LLEN', KEYS[4])) then
    return redis.error_reply('WRONGTYPE the key ' .. KEYS[4] .. ' is not a list')
end
allow_writes(claim)
local answer = { 'done' }
if deliver(ARGV[4], response, replies) then
    answer[#answer + 1] = 'fell back'
end
if tonumber(ARGV[9]) > 0 then
    local owner = redis.pcall('HGET', record, 'claim')
    if failed(owner) then
        answer[#answer + 1] = 'no record'
    elseif not owner or owner == id then
        local also = redis.call('HGET', record, 'also') or ''
        for list in also:gmatch('[^\n]+') do
            if list ~= ARGV[4] and deliver(list, response, replies, true) then
                answer[#answer + 1] = 'fell back'
            end
        end
        local written = redis.pcall('HSET', record, 'status', ARGV[7], 'result', ARGV[6], 'response_timestamp', ARGV[8],
            'response', response, 'answered', ARGV[7], 'claim', id, 'reply', ARGV[4])
        if failed(written) then
            answer[#answer + 1] = 'no record'
        else
            redis.call('HDEL', record, 'also')
            redis.call('PEXPIRE', record, ARGV[9])
        end
    end
end
if ARGV[12] ~= '' then
    redis.call('LPUSH', KEYS[4], ARGV[12])
end
redis.call('ZREM', processing, id)
redis.call('DEL', claim)
return answer
