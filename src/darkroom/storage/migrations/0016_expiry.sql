-- Files may have an age at which they go: the oldest that are kept must be found.
CREATE INDEX assets_kept ON assets (created_at) WHERE deleted_at IS NULL;
