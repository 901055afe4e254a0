-- name: batches.insert
-- New batches, one for each submission of a group, numbered in the order asked.
INSERT INTO batches (id, account_id, api_key_id, request_id, kind, model, input, rate_id, caller_id)
SELECT nextval('batch_ids'), account_id, api_key_id, request_id, kind, model, input, rate_id,
       caller_id
  FROM unnest(%(account_ids)s::text[], %(api_key_ids)s::text[], %(request_ids)s::text[],
              %(kinds)s::text[], %(models)s::text[], %(inputs)s::jsonb[], %(rate_ids)s::bigint[],
              %(caller_ids)s::bigint[])
       WITH ORDINALITY AS asked (account_id, api_key_id, request_id, kind, model, input, rate_id,
                                 caller_id, place)
 ORDER BY place
RETURNING id, request_id;
