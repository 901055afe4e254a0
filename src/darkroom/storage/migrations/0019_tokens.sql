-- Prices by tokens: what is read has a price of its own beside what is answered.
ALTER TABLE rates ADD COLUMN input_mill bigint NOT NULL DEFAULT 0 CHECK (input_mill >= 0);
