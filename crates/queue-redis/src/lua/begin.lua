-- KEYS: processing, record, common list of responses.
-- ARGV: prefix of claims, id, token, reply list, how long a record is kept while it is worked on (ms), how long a duplicate is
--       remembered (ms), how many reply lists duplicates may add, how long reply lists live (ms), length of the common list.
-- Answers: what, and a remark.
local processing, record = KEYS[1], KEYS[2]
local id, token, reply = ARGV[2], ARGV[3], ARGV[4]
local claim = ARGV[1] .. id
local replies = { common = KEYS[3], ttl = tonumber(ARGV[8]), max_common = tonumber(ARGV[9]) }

local kept = redis.call('HMGET', claim, 'token', 'duplicate', 'begun')
if kept[1] ~= token then
    return { 'lost', '' }
elseif kept[2] then
    return { 'duplicate', '' }
elseif kept[3] then
    return { kept[3] == token and 'first' or 'again', '' }
end

allow_writes(claim)
local owner = redis.pcall('HGET', record, 'claim')
if failed(owner) then
    -- Somebody keeps something else under this key. The job is done all the same, only nobody knows of it afterwards.
    redis.call('HSET', claim, 'begun', token)
    return { 'first', 'no record' }
end

local begun, answer = token, 'first'
if owner and owner ~= id then
    local known = redis.call('HMGET', record, 'response', 'answered', 'reply', 'also')
    if known[1] or redis.call('ZSCORE', processing, owner) then
        local remark = ''
        if known[1] then
            -- A producer that announces its request itself may have written over the status.
            redis.call('HSET', record, 'status', known[2] or 'completed')
        end
        if known[3] ~= reply then
            if known[1] then
                remark = deliver(reply, known[1], replies) and 'fell back' or ''
            else
                local also, count = known[4] or '', 0
                for list in also:gmatch('[^\n]+') do
                    count = count + 1
                    if list == reply then
                        count = -1
                        break
                    end
                end
                if count >= tonumber(ARGV[7]) then
                    remark = 'too many'
                elseif count >= 0 then
                    redis.call('HSET', record, 'also', also .. reply .. '\n')
                end
            end
        end
        redis.call('ZREM', processing, id)
        redis.call('DEL', claim)
        -- So that the same question gets the same answer.
        redis.call('HSET', claim, 'token', token, 'duplicate', '1')
        redis.call('PEXPIRE', claim, ARGV[6])
        return { 'duplicate', remark }
    end
    -- The claim that has begun it exists no more, and has left no answer.
    begun, answer = owner, 'again'
end

redis.call('HSET', claim, 'begun', begun, 'record', record)
redis.call('HSET', record, 'status', 'processing', 'claim', id, 'reply', reply)
if redis.call('HEXISTS', record, 'request') == 0 then
    redis.call('HSET', record, 'request', redis.call('HGET', claim, 'payload'))
end
redis.call('PEXPIRE', record, ARGV[5])
return { answer, '' }
