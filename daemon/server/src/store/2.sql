CREATE TABLE hosts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
-- Which files of ours lie in which host.
CREATE TABLE installs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, concept TEXT, host TEXT
);
CREATE INDEX installs_of_concept ON installs (concept);
CREATE INDEX installs_of_host ON installs (host);
