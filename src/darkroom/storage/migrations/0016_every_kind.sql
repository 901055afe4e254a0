-- Files may have an age at which they go: the oldest that are kept must be found.
CREATE INDEX assets_kept ON assets (created_at) WHERE deleted_at IS NULL;

-- A request may go on with a task that has ended: a podcast's voices with its script.
ALTER TABLE batches ADD COLUMN continues text REFERENCES tasks (id);
CREATE INDEX batches_continuing ON batches (continues, id) WHERE continues IS NOT NULL;
