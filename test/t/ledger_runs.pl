# The ledger: what a run writes into it, which run is the same as another, who sees what, and how windows are forgotten.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'UTC'\n",
	destination => "timezone = 'UTC'\nmax_prepared_transactions = 5\n");
my $port = $source->port;
my $password = $TwoServers::password;

sub results { return one_line($destination, 'verbose', @_); }

# The call without on_rerun, unless it is given.
sub call
{
	my ($query, $day, @arguments) = @_;
	return copy_sql($query, $day, on_rerun => "'error'", @arguments) =~ s/, on_rerun => 'error'//r;
}

my $create = 'CREATE TABLE event (id int PRIMARY KEY, at timestamptz, name text)';
$source->safe_psql('postgres', <<SQL);
	$create;
	INSERT INTO event SELECT g, timestamptz '2018-07-29' + g * interval '2 hours', 'abc' FROM generate_series(0, 35) AS g;
	CREATE DATABASE second TEMPLATE postgres;
SQL
$destination->safe_psql('postgres', <<SQL);
	$create;
	CREATE TABLE event_2 (LIKE event INCLUDING ALL);
	CREATE TABLE unique_event (LIKE event INCLUDING ALL);
	CREATE SERVER other_src FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'second');
	CREATE USER MAPPING FOR CURRENT_USER SERVER other_src OPTIONS (user 'etl_reader', password '$password');
SQL
my $query = 'SELECT * FROM event WHERE at >= $1 AND at < $2';
my @replace = (mode => "'replace'", replace_where => q['at >= $1 AND at < $2']);
my $last = q[SELECT concat_ws(' ', mode, method, status, 'read', rows_read, 'written', rows_written, 'deleted', rows_deleted,
	'batches', batches, 'bytes', bytes) FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1];
my $runs = 'SELECT count(*) FROM copy_incremental_runs';

# Statistics. A row is 4 + 8 + 3 bytes, a day 12 rows.
is(results(call($query, '2018-07-29', batch => 5), $last),
	'12 append cursor succeeded read 12 written 12 deleted 0 batches 3 bytes 180', 'statistics: append');
is(results(q[SELECT username, target, source, data_interval, length(query_hash), started_at <= ended_at,
	started_at > now() - interval '5 minutes' FROM copy_incremental_runs]),
	'postgres|event|src|["2018-07-29 00:00:00+00","2018-07-30 00:00:00+00")|64|t|t', 'a run: who, where, what, when');
for my $case (
	[ 'a day without rows', 0, '2018-08-30', [], 'append .* read 0 written 0 deleted 0 batches 0 bytes 0' ],
	[ 'exactly one batch', 12, '2018-07-30', [ batch => 12 ], 'append .* read 12 written 12 deleted 0 batches 1 bytes 180' ],
	[ 'skip', 0, '2018-07-30', [ mode => "'skip'" ], 'skip .* read 12 written 0 deleted 0 batches 1 bytes 180' ],
	[ 'upsert', 0, '2018-07-30', [ mode => "'upsert'" ], 'upsert .* read 12 written 0 deleted 0 batches 1 bytes 180' ],
	[ 'replace', 12, '2018-07-30', [ @replace, batch => 6 ],
		'replace .* read 12 written 12 deleted 12 batches 2 bytes 180' ],
	[ 'replace by nothing', 0, '2018-07-30', [ @replace, transform => "'SELECT * FROM batch WHERE false'" ],
		'replace .* read 12 written 0 deleted 12 batches 1 bytes 180' ],
	[ 'a transform that filters', 4, '2018-07-30',
		[ transform => "'SELECT * FROM batch WHERE id % 3 = 0'", mode => "'skip'", batch => 5 ],
		'skip .* read 12 written 4 deleted 0 batches 3 bytes 180' ],
	[ 'a transform that multiplies', 24, '2018-07-30',
		[ transform => "'SELECT id + 100 * n AS id FROM batch, generate_series(1, 2) AS n'", on_rerun => "'run'" ],
		'append .* read 12 written 24 deleted 0 batches 1 bytes 180' ])
{
	my ($name, $written, $day, $arguments, $expected) = @$case;
	like(results(call($query, $day, @$arguments), $last), qr/^$written $expected(?:WARNING.*)?$/, "statistics: $name");
}
is(results('CREATE FUNCTION keep_even() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RETURN CASE WHEN NEW.id % 2 = 0 THEN NEW END; END$$',
		'CREATE TRIGGER keep_even BEFORE INSERT ON event_2 FOR EACH ROW EXECUTE FUNCTION keep_even()',
		call($query, '2018-07-29', target => "'event_2'"), $last, 'DROP TRIGGER keep_even ON event_2'),
	'6 append cursor succeeded read 12 written 6 deleted 0 batches 1 bytes 180WARNING:  01000: 6 rows were not written to public.event_2 DETAIL:  Triggers that may have dropped them or written them elsewhere: keep_even.',
	'statistics: a trigger that leaves rows out');
is(results(call('SELECT 1 AS id, NULL AS name', undef, target => "'unique_event'"), $last,
		'SELECT data_interval IS NULL FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1'),
	'1 append cursor succeeded read 1 written 1 deleted 0 batches 1 bytes 4 t', 'statistics: a whole result, NULLs have no bytes');

# Nothing is left of a call that failed or was rolled back.
my $before = results($runs);
like(results(call('SELECT 1 / (id - 20) AS id, at FROM event WHERE at >= $1 AND at < $2', '2018-07-30', on_rerun => "'run'")), qr/22012/, 'a call fails');
like(results(call($query, '2018-07-30', target => "'event'", mode => "'append'")), qr/PI001/, 'a call is refused');
results('BEGIN', call($query, '2018-07-31'), 'ROLLBACK');
is(results('BEGIN', 'SAVEPOINT s', call($query, '2018-07-31'), 'ROLLBACK TO s', 'COMMIT', $runs), "12 $before",
	'nothing in the ledger of calls that failed, were refused or rolled back');
is(results('BEGIN', 'SAVEPOINT s', call($query, '2018-07-31'), 'ROLLBACK TO s', call($query, '2018-07-31'), 'ROLLBACK'),
	'12 12', 'what a savepoint took back can be loaded');
is(results("PREPARE p AS $runs", 'BEGIN', call($query, '2018-07-31', target => "'event_2'"), "PREPARE TRANSACTION 'p'", $runs,
		"COMMIT PREPARED 'p'", "SELECT count(*) - $before FROM copy_incremental_runs"), "12 $before 1",
	'PREPARE TRANSACTION: the run and its rows come together');

# The same run again.
my $again = results('SELECT max(run_id) FROM copy_incremental_runs WHERE target = $$event$$::regclass
	AND data_interval @> timestamptz $$2018-07-29 12:00$$');
like(results(call($query, '2018-07-29')),
	qr/ERROR:  PI001: window 2018-07-29 of public\.\S+ was already loaded DETAIL:  According to copy_incremental_runs, run $again of \S+ \S+ wrote 12 rows\. HINT:  Use mode replace, upsert or skip;/,
	'on_rerun: error is the default, and names the run');
like(results(call($query, '2018-07-29', on_rerun => "'skip'"), $runs),
	qr/^0 \d+NOTICE:  00000: window 2018-07-29 of public\.\S+ was already loaded, skipping DETAIL:  According to copy_incremental_runs, run $again of/, 'on_rerun: skip');
like(results('BEGIN', 'TRUNCATE event', call($query, '2018-07-29', on_rerun => "'run'"), 'ROLLBACK'),
	qr/^12WARNING:  01000: window 2018-07-29 of public\.\S+ was already loaded, loading it again DETAIL:  According to copy_incremental_runs, run $again of/, 'on_rerun: run');
like(results(call($query, '2018-07-29', on_rerun => "'Skip'")),
	qr/22023: invalid value for argument "on_rerun": "Skip" HINT:  Allowed values are error, skip, run/, 'on_rerun: another word');
like(results('BEGIN', call($query, '2018-07-31', target => "'unique_event'"), call($query, '2018-07-31', target => "'unique_event'")),
	qr/^12.*ERROR:  PI001/, 'on_rerun: twice in one transaction');
like(results(call('SELECT 1 AS id, NULL AS name', undef, target => "'unique_event'")),
	qr/ERROR:  PI001: the whole result of public\.\S+ was already loaded/, 'on_rerun: a whole result');

# The hash is that of the tokens, the same in every version of the server.
for my $case ([ q[SELECT 1 AS id, 'a' AS name], "w6:selecto1:1w2:asw2:ido1:,s1:aw2:asw4:name" ],
	[ q[SELECT 1 id, E'\\x41' || U&'!0042' UESCAPE '!' "name"], 'w6:selecto1:1w2:ido1:,s1:Ao2:||S5:!0042w7:uescapes1:!q4:name' ],
	[ q[SELECT 1 AS id, '{}' AS name], 'w6:selecto1:1w2:asw2:ido1:,s2:{}w2:asw4:name', '2018-08-01' ],
	[ q[SELECT 1 AS id, $1::date::text || x'1'::int AS name],
		q(w6:selecto1:1w2:asw2:ido1:,o2:$1o2:::w4:dateo2:::w4:texto2:||o4:x'1'o2:::w3:intw2:asw4:name), '2018-08-01' ])
{
	my ($sql, $tokens, $day) = @$case;
	is(results('TRUNCATE event_2', call($sql, $day, target => "'event_2'", on_rerun => "'run'"), "SELECT encode(sha256('" . $tokens =~ s/'/''/gr
		  . "'), 'hex') = query_hash FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1"), '1 t', "the hash of $sql");
}
results('TRUNCATE event_2');

# What makes another run.
$destination->safe_psql('postgres', 'TRUNCATE event');
for my $case ([ 'another server', src_conninfo => "'other_src'" ],
	[ 'a connection string', src_conninfo => "'hostaddr=127.0.0.1 port=$port user=etl_reader dbname=postgres password=$password'" ],
	[ 'another target', target => "'unique_event'" ], [ 'another day', day => '2018-07-28' ])
{
	my ($name, %option) = @$case;
	my $other = call($query, delete $option{day} // '2018-07-29', %option);
	is(results('TRUNCATE event, unique_event', $other), $name eq 'another day' ? 0 : 12, "another run: $name");
	like(results($other), qr/PI001/, "another run: $name, but not twice");
}
like(results(call($query, '2018-07-29', src_conninfo => "'user=etl_reader host=127.0.0.1 dbname=postgres port=$port password=$password'")), qr/PI001/,
	'the same run: a connection string to the place of the server');
like(results('ALTER SERVER src RENAME TO renamed', call($query, '2018-07-29', src_conninfo => "'renamed'")), qr/PI001/,
	'the same run: the server was renamed');
$destination->safe_psql('postgres', "ALTER SERVER renamed RENAME TO src; ALTER SERVER src OPTIONS (SET dbname 'second', SET host 'localhost')");
like(results(call($query, '2018-07-29')), qr/PI001/, 'the same run: the server moved');
$destination->safe_psql('postgres', "ALTER SERVER src OPTIONS (SET dbname 'postgres', SET host '127.0.0.1')");
like(results(call($query, '2018-07-29', time_zone => "'Etc/UTC'")), qr/PI001/, 'the same run: the same hours by another zone');
like(results(call($query, '2018-07-29', batch => 1, transform => "'TABLE batch'")), qr/PI001/,
	'the same run: with another batch size and transform');
like(results(call("select  *\n-- the day\nfrom Event /* all */ WHERE at>=\$1 AND at<\$2;", '2018-07-29')), qr/PI001/,
	'the same run: the same tokens');
like(results(q[SELECT copy_incremental_range('src', 'SELECT * FROM event WHERE at >= $1 AND at < $2',
	tstzrange('2018-07-29', '2018-07-30'))]), qr/PI001/, 'the same run: the day as a range');
is(results(q[SELECT string_agg(DISTINCT source, ' ' ORDER BY source) FROM copy_incremental_runs]),
	"127.0.0.1:$port/postgres other_src src", 'the source is a server, or host:port/dbname');
unlike(results('SELECT r::text FROM copy_incremental_runs AS r'), qr/\Q$password/, 'no secret is in the ledger');

# A transaction with one snapshot sees what another one committed since.
my $host = $destination->host;
my $destination_port = $destination->port;
like(results('CREATE EXTENSION dblink', 'BEGIN ISOLATION LEVEL REPEATABLE READ', $runs,
		"SELECT * FROM dblink('host=$host port=$destination_port dbname=postgres', \$other\$"
		  . call($query, '2018-07-31', target => "'unique_event'") . '$other$) AS r (rows bigint)',
		call($query, '2018-07-31', target => "'unique_event'")),
	qr/^\d+ 12ERROR:  PI001/, 'REPEATABLE READ: a run that another session has committed since is seen');

# Users: no right on the ledger is needed, and none of it gives more than one's own rows.
$destination->safe_psql('postgres', join '', <<SQL, map { <<ROLE } qw(ann bob));
	REVOKE ALL ON copy_incremental_runs FROM PUBLIC;
	CREATE TABLE shared (id int, at timestamptz, name text);
SQL
	CREATE ROLE $_;
	GRANT EXECUTE ON FUNCTION copy_incremental, copy_incremental_forget TO $_;
	GRANT INSERT ON shared TO $_;
	GRANT USAGE ON FOREIGN SERVER src TO $_;
	CREATE USER MAPPING FOR $_ SERVER src OPTIONS (user 'etl_reader', password '$password');
	CREATE SCHEMA $_ AUTHORIZATION $_;
ROLE
my $ann = 'SET ROLE ann';
my $bob = 'SET ROLE bob';
my $shared = sub { return call($query, $_[0], target => "'shared'", @_[ 1 .. $#_ ]) };
is(results($ann, $shared->('2018-07-29')), '12', 'a user without any right on the ledger');
like(results($ann, $runs), qr/ERROR:  42501: permission denied for view copy_incremental_runs/, 'who cannot read it');
$destination->safe_psql('postgres', 'GRANT SELECT ON copy_incremental_runs TO PUBLIC');
is(results($bob, $shared->('2018-07-30'), 'SELECT username, count(*) FROM copy_incremental_runs GROUP BY 1', $ann,
		'SELECT username, count(*) FROM copy_incremental_runs GROUP BY 1'), '12 bob|1 ann|1', 'users see their own runs');
like(results($bob, $shared->('2018-07-29')), qr/ERROR:  PI001.*wrote 12 rows/, 'users do not load what another has loaded');
like(results($ann, $_), qr/42501: permission denied for table pgci_runs/, "users cannot write: $_")
  for "UPDATE pgci_runs SET status = 'forgotten'", 'DELETE FROM pgci_runs',
  'TRUNCATE pgci_runs', 'TABLE pgci_runs',
  "INSERT INTO pgci_runs (owner, target, source, server, source_place, source_tables, query_hash, mode, method) VALUES ('ann', '-', '', '-', '', '{}', '', '', '')";
like(results($ann, 'DELETE FROM copy_incremental_runs'), qr/42501: permission denied for view|55000: cannot delete from view/, 'nor through the view');
like(results(q[SELECT count(DISTINCT username) FROM copy_incremental_runs]), qr/^3$/, 'a superuser sees all runs');

# Names that a user puts in front of pg_catalog do not get in between.
is(results($ann, <<'SQL', 'SET search_path = ann, pg_catalog, public', $shared->('2018-07-31', target => "'public.shared'"),
	CREATE TABLE ann.copy_incremental_runs (run_id bigint, target regclass, status text);
	CREATE FUNCTION ann.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
	CREATE FUNCTION ann.tstzrange(timestamptz, timestamptz) RETURNS tstzrange LANGUAGE sql AS 'SELECT ''empty''::tstzrange';
	CREATE FUNCTION ann.format(text, bigint, timestamptz, bigint) RETURNS text LANGUAGE sql AS 'SELECT NULL';
	CREATE FUNCTION ann.wrong(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
	CREATE OPERATOR ann.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = ann.wrong)
SQL
		$last =~ s/FROM copy/FROM public.copy/r, 'SELECT pg_catalog.count(*) FROM ann.copy_incremental_runs'),
	'12 append cursor succeeded read 12 written 12 deleted 0 batches 1 bytes 180 0', 'a hostile search_path');
like(results($ann, 'SET search_path = ann, pg_catalog, public', $shared->('2018-07-31', target => "'public.shared'")),
	qr/PI001/, 'a hostile search_path, again');

# Forgetting: by days, by user, by the owner of the target.
my $forget = sub { return "SELECT copy_incremental_forget('shared', $_[0], $_[1])" };
is(results($bob, $forget->("'2018-07-29'", "'2018-07-29'"), $forget->('NULL', 'NULL')), '0 1', 'forget: a user forgets own runs only');
is(results($ann, $forget->("'2018-07-30'", "'2018-07-30'"), $forget->("'2018-07-29'", "'2018-07-30'"),
		$forget->("'2018-07-29'", "'2018-07-30'"), $shared->('2018-07-29')), '0 1 0 12',
	'forget: a day once, then append loads it again');
is(results('ALTER TABLE shared OWNER TO bob', $bob, $forget->("'2018-07-31'", 'NULL'), $forget->('NULL', "'2018-07-31'")),
	'1 1', 'forget: the owner of the target forgets all, with an open bound on either side');
is(results($bob, call('SELECT 1 AS id', undef, target => "'shared'"), $shared->('2018-07-29', time_zone => "'Asia/Tokyo'"),
		$forget->("'2018-07-29'", "'2018-07-29'"), $forget->("'2018-07-28'", "'2018-07-29'"), $forget->("'0001-01-01'", 'NULL'),
		$forget->('NULL', 'NULL')), '1 8 1 1 0 1', 'forget: days are of the session, which may be a part of what a run has loaded; whole results go without bounds');
is(results("SELECT string_agg(DISTINCT status, ',') FROM copy_incremental_runs WHERE target = 'shared'::regclass"), 'forgotten',
	'forget: what is forgotten stays to be read');
like(results($forget->("'2018-07-30'", "'2018-07-29'")), qr/22023: last_day is before first_day/, 'forget: days in the wrong order');
like(results("SELECT copy_incremental_forget(NULL, '2018-07-29', '2018-07-29')"), qr/22004: argument "target" must not be null/,
	'forget: no target');
like(results($ann, "SET ROLE postgres; CREATE ROLE eve; SET ROLE eve; $_"), qr/42501: permission denied for function/,
	'EXECUTE is granted on purpose') for $forget->('NULL', 'NULL');
is(results('DROP TABLE unique_event', 'CREATE TABLE unique_event (LIKE event)', call($query, '2018-07-29', target => "'unique_event'")),
	'12', 'a target that was dropped and created anew is another one');

# A dump keeps the ledger, and its numbers go on.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$destination->command_ok([ 'pg_dump', '-f', $dump, '-d', $destination->connstr('postgres') ], 'pg_dump');
$destination->safe_psql('postgres', 'CREATE DATABASE restored');
$destination->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $destination->connstr('restored') ],
	'the dump is restored');
my $kept = q[SELECT count(*), max(run_id), string_agg(r::text, ',' ORDER BY run_id) FROM copy_incremental_runs AS r
	WHERE target::oid IN (SELECT oid FROM pg_class)];
is($destination->safe_psql('restored', $kept), $destination->safe_psql('postgres', $kept), 'the dump keeps every run');
my $max = results('SELECT max(run_id) FROM copy_incremental_runs');
$destination->safe_psql('restored', 'TRUNCATE event; ' . call($query, '2018-07-29', on_rerun => "'run'"));
cmp_ok($destination->safe_psql('restored', 'SELECT max(run_id) FROM copy_incremental_runs'), '>', $max,
	'runs are counted on after a restore');
is($destination->safe_psql('restored', 'DROP EXTENSION pg_copy_incremental; SELECT to_regclass($$copy_incremental_runs$$) IS NULL'),
	't', 'DROP EXTENSION drops the ledger');

no_session_left($source, 'no session is left at the source');
done_testing();
