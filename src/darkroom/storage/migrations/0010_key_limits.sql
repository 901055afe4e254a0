-- What an API key may do and spend, and until when; and the key that takes its place.

ALTER TABLE api_keys
    ADD COLUMN expires_at timestamptz,
    -- The key that a row of rotations began with, itself where it began none: what they spend is
    -- counted together, so that a rotation opens no second limit.
    ADD COLUMN origin_id text,
    -- A key is rotated once; the next rotation is that of the key which took its place.
    ADD COLUMN rotated_at timestamptz,
    -- Empty: every model, every address that the account may name.
    ADD COLUMN models text[] NOT NULL DEFAULT '{}',
    ADD COLUMN callback_hosts text[] NOT NULL DEFAULT '{}',
    ADD COLUMN spend_mill_max bigint CHECK (spend_mill_max > 0),
    ADD COLUMN spend_period text CHECK (spend_period IN ('total', 'month')),
    ADD CHECK ((spend_mill_max IS NULL) = (spend_period IS NULL));
UPDATE api_keys SET origin_id = id;
ALTER TABLE api_keys ALTER COLUMN origin_id SET NOT NULL;
CREATE INDEX api_keys_origin ON api_keys (origin_id);

-- Null where the key of the submit had no spend limit: then nothing is counted.
ALTER TABLE holds ADD COLUMN origin_id text;

-- What the holds of a month (UTC) took from the spend limit of a key and those it was rotated into:
-- open ones in full, settled ones what was charged. Written behind the account's lock.
CREATE TABLE key_spending (
    origin_id  text NOT NULL REFERENCES api_keys (id),
    month      date NOT NULL,
    mill       bigint NOT NULL CHECK (mill >= 0),
    PRIMARY KEY (origin_id, month)
) WITH (fillfactor = 50);
