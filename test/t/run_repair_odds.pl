# copy_incremental_repair() with odd keys, targets and privileges, many rows that differ, other runs at the same time, a source
# that changes meanwhile, and a source that lies.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers;
$destination->safe_psql('postgres', "ALTER DATABASE postgres SET TimeZone = 'UTC'");
sub job { my ($name, $query, %argument) = @_; return define_job($name, $query, first_day => "'2024-01-01'", window_column => "'at'", %argument); }
sub repair { my ($job, $deletes) = @_; return "SELECT inserted, updated, deleted, compared FROM copy_incremental_repair('$job', '2024-01-01', '2024-01-01', '${\($deletes // 'apply')}')"; }
sub runs { my ($job, $deletes) = @_; return $destination->safe_psql('postgres', repair($job, $deletes)); }
sub are_equal
{
	my ($table, $name, $columns) = @_;
	$columns //= 't::text';
	my ($theirs, $ours) = map { $_->safe_psql('postgres', "SELECT $columns FROM $table AS t ORDER BY 1") } $source, $destination;
	return ok($theirs eq $ours && $theirs ne '', $name) || diag("$theirs\n--\n$ours");
}

# --- keys of all kinds: rows are missing, extra, changed
on_both(q[CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'a "b"', 'c', 'd'); CREATE DOMAIN positive AS int CHECK (VALUE > 0)], $source, $destination);
my %keys = (
	text => q['it''s "g" \\ {' || g], 'varchar(20)' => q['ä€' || g], 'char(9)' => q['c' || g], numeric => 'g / 3.0', 'numeric(9,2)' => 'g / 3.0',
	float8 => '1e300 / g', timestamptz => q[timestamptz '2024-06-01' + g * interval '1 us'], date => q[CASE g WHEN 1 THEN 'infinity' ELSE date '2024-06-01' + g END],
	interval => q[g * interval '1 month 1 hour'], uuid => q[md5(g::text)::uuid], bytea => q[decode(md5(g::text), 'hex')], inet => q[inet '10.0.0.0' + g],
	'int[]' => 'ARRAY[g, NULL, 2]', 'mood' => '(enum_range(NULL::mood))[g]', positive => 'g', '"char"' => '(64 + g)::"char"', name => q[('n' || g)::name]);
for my $type (sort keys %keys)
{
	my ($value, $table) = ($keys{$type}, 'keyed_' . ($type =~ s/\W//gr));
	on_both("CREATE TABLE $table (k $type, j int, at timestamptz NOT NULL, v int, PRIMARY KEY (k, j))", $source, $destination);
	my $rows = sub { return "INSERT INTO $table SELECT $value, g, '2024-01-01', $_[0] FROM generate_series($_[1]) AS g" };
	$source->safe_psql('postgres', $rows->('g', '1, 4'));
	$destination->safe_psql('postgres', $rows->('g', '4, 6') . '; ' . $rows->('0', '1, 2') . '; ' . job("k_$table", "SELECT * FROM $table", mode => "'upsert'"));
	is(runs("k_$table"), '1|2|2|4', "key of type $type");
	are_equal($table, "key of type $type: equal");
}

# --- a nullable key, a partitioned table with more columns than the source, a view, a generated column
on_both('CREATE TABLE nullable (id int UNIQUE, at timestamptz NOT NULL, v int)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO nullable VALUES (1, '2024-01-01', 1)");
$destination->safe_psql('postgres', job('nullable', 'SELECT * FROM nullable', mode => "'upsert'", key_columns => "'{id}'") . "; INSERT INTO nullable VALUES (NULL, '2024-01-01', 1)");
fails_with($destination, repair('nullable'), '22000', qr/1 row of public.nullable could not be deleted.*their key contains NULL/s, 'an extra row with NULL in the key');
is(runs('nullable', 'ignore'), '1|0|0|1', 'is ignored');
$source->safe_psql('postgres', "INSERT INTO nullable VALUES (NULL, '2024-01-01', 2)");
fails_with($destination, repair('nullable', 'ignore'), '23502', qr/null value in a key column of public.nullable/, 'NULL in the key of the source');

$source->safe_psql('postgres', "CREATE TABLE parted (id int, at timestamptz, v numeric, PRIMARY KEY (id, at)); INSERT INTO parted SELECT g, timestamptz '2024-01-01' + g * interval '1 minute', g / 7.0 FROM generate_series(1, 100) AS g");
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE parted (own text DEFAULT 'mine', at timestamptz, id int, v numeric(9,2), twice numeric GENERATED ALWAYS AS (v * 2) STORED, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-01-01 01:00');
	CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2024-01-01 01:00') TO ('2024-02-01');
	CREATE TABLE base (id int PRIMARY KEY, at timestamptz, v numeric);
	CREATE VIEW shown AS SELECT * FROM base;
	SQL
$destination->safe_psql('postgres', job('parted', 'SELECT * FROM parted', mode => "'replace'") . '; ' . job('shown', 'SELECT * FROM parted', target => "'shown'", mode => "'upsert'", key_columns => "'{id}'"));
is(runs('parted'), '100|0|0|100', 'partitions: loaded, with numbers that are rounded');
$destination->safe_psql('postgres', "UPDATE parted SET own = 'other', v = 0 WHERE id = 7; UPDATE parted SET own = 'kept' WHERE id = 8; DELETE FROM parted WHERE id = 9; INSERT INTO parted VALUES ('extra', '2024-01-01 01:30', 1000, 1)");
is(runs('parted'), '1|1|1|100', 'partitions: one of each');
is($destination->safe_psql('postgres', 'SELECT own FROM parted WHERE id IN (7, 8, 9) ORDER BY id'), "other\nkept\nmine", 'a column that the source does not have is kept');
are_equal('parted', 'partitions: equal', 'id, at, round(v, 2)');
is(runs('shown'), '100|0|0|100', 'a view: loaded');
$destination->safe_psql('postgres', 'UPDATE base SET v = 0 WHERE id = 7; DELETE FROM base WHERE id = 9; UPDATE base SET id = 1000 WHERE id = 10');
is(runs('shown'), '2|1|1|100', 'a view: one of each');

# --- 1,200 columns without a key
my @names = map { "c$_" } 1 .. 1200;
on_both('CREATE TABLE wide (at timestamptz NOT NULL, ' . join(', ', map { "$_ int" } @names) . ')', $source, $destination);
$source->safe_psql('postgres', 'INSERT INTO wide SELECT timestamptz \'2024-01-01\', ' . join(', ', map { "g + $_" } 1 .. 1200) . ' FROM generate_series(1, 20) AS g');
$destination->safe_psql('postgres', job('wide', 'SELECT * FROM wide', mode => "'replace'"));
is(runs('wide'), '20|0|0|20', '1,200 columns: loaded');
$destination->safe_psql('postgres', 'UPDATE wide SET c777 = 0 WHERE c1 = 5; DELETE FROM wide WHERE c1 = 6; INSERT INTO wide SELECT * FROM wide WHERE c1 = 7');
is($destination->safe_psql('postgres', "SELECT matches, source_rows, target_rows, missing, extra FROM copy_incremental_verify('wide', '2024-01-01')"), 'f|20|20|2|2', '1,200 columns: verify');
is(runs('wide'), '3|0|3|20', '1,200 columns: repaired');
are_equal('wide', '1,200 columns: equal');

# --- more rows differ than one statement lists
for my $key ('PRIMARY KEY', '')
{
	my $name = $key ? 'keyed' : 'unkeyed';
	on_both("CREATE TABLE many_$name (id int $key, at timestamptz NOT NULL, v int)", $source, $destination);
	$source->safe_psql('postgres', "INSERT INTO many_$name SELECT g, '2024-01-01', g FROM generate_series(1, 110000) AS g");
	$destination->safe_psql('postgres', job("many_$name", "SELECT * FROM many_$name", mode => "'replace'") . "; INSERT INTO many_$name SELECT g, '2024-01-01', g % 100001 FROM generate_series(100000, 220000) AS g");
	is(runs("many_$name"), $key ? '99999|10000|110000|110000' : '110000|0|120001|110000', "$name: all rows");
	are_equal("many_$name", "$name: equal", 'md5(string_agg(t::text, $$ $$ ORDER BY id))');
	is(runs("many_$name"), '0|0|0|110000', "$name: nothing more");
}
fails_with($destination, 'UPDATE many_unkeyed SET v = -1; ' . repair('many_unkeyed', 'ignore'), '54000', qr/too many rows of public.many_unkeyed differ/, "unkeyed, deletes => 'ignore': too many rows");

# --- privileges and row security
on_both('CREATE TABLE guarded (id int PRIMARY KEY, at timestamptz NOT NULL, v int)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO guarded VALUES (1, '2024-01-01', 1)");
$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE etl;
	GRANT USAGE ON FOREIGN SERVER src TO etl;
	CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	SELECT copy_incremental_grant('etl');
	GRANT SELECT, INSERT, UPDATE ON guarded TO etl;
	SET ROLE etl;
	${\job('guarded', 'SELECT * FROM guarded', mode => "'upsert'")};
	SQL
fails_with($destination, 'SET ROLE etl; ' . repair('guarded'), '42501', qr/GRANT DELETE ON public.guarded TO etl/, 'without the DELETE privilege');
is($destination->safe_psql('postgres', 'SET ROLE etl; ' . repair('guarded', 'ignore')), '1|0|0|1', "which deletes => 'ignore' does not need");
$destination->safe_psql('postgres', 'GRANT DELETE ON guarded TO etl; REVOKE UPDATE ON guarded FROM etl');
fails_with($destination, 'SET ROLE etl; ' . repair('guarded'), '42501', qr/GRANT UPDATE.* ON public.guarded TO etl/, 'without the UPDATE privilege');
$destination->safe_psql('postgres', 'GRANT UPDATE ON guarded TO etl; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY');
fails_with($destination, 'SET ROLE etl; ' . repair('guarded'), '0A000', qr/a repair cannot be used where row-level security applies to you/, 'row security that hides rows');

# --- a run of the same window ends first, and the repair sees its rows
on_both('CREATE TABLE met (id int PRIMARY KEY, at timestamptz NOT NULL, v int)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO met SELECT g, '2024-01-01', g FROM generate_series(1, 50) AS g");
$destination->safe_psql('postgres', job('met', 'SELECT * FROM met', mode => "'replace'"));
my ($session) = open_session($destination);
$session->query_safe("BEGIN; SELECT copy_incremental_run('met', '2024-01-01')");
my $client = start_client($destination, 'repairs', repair('met'));
ok(wait_until($destination, q(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'repairs' AND wait_event_type = 'Lock')), 'a repair waits for a run of its window');
$session->query_safe('COMMIT');
is((end_of_client($client))[1], '0|0|0|50', 'and sees what it has written');
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$source->safe_psql('postgres', 'UPDATE met SET v = v + 1');
is(runs('met'), '0|50|0|50', 'another repair');
is((outcome_of($session, repair('met')))[0], '40001', 'a transaction that does not see it');
$session->query_safe('ROLLBACK');

# --- the source changes between the comparison and the fetch: all is of one snapshot
$destination->safe_psql('postgres', <<~'SQL');
	INSERT INTO met VALUES (0, '2024-01-01', 0);
	UPDATE met SET v = 0 WHERE id IN (1, 2, 3);
	CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN OLD; END';
	CREATE TRIGGER stop BEFORE DELETE ON met FOR EACH ROW EXECUTE FUNCTION stop();
	SQL
$session->query_safe('SELECT pg_advisory_lock(1)');
$client = start_client($destination, 'repairs', repair('met'));
ok(wait_until($destination, q(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'repairs' AND wait_event = 'advisory')), 'a repair has compared both sides');
my $then = $source->safe_psql('postgres', 'SELECT t::text FROM met AS t ORDER BY 1');
$source->safe_psql('postgres', "UPDATE met SET v = -1 WHERE id IN (2, 4); DELETE FROM met WHERE id = 3; INSERT INTO met VALUES (100, '2024-01-01', 100), (0, '2024-01-01', 7)");
$session->query_safe('SELECT pg_advisory_unlock(1)');
is((end_of_client($client))[1], '0|3|1|50', 'the source changed: the repair ends');
is($destination->safe_psql('postgres', 'SELECT t::text FROM met AS t ORDER BY 1'), $then, 'with the rows of its snapshot');
is(runs('met'), '2|2|1|51', 'the next one has the rest');
are_equal('met', 'and both sides are equal');

# --- a source that lies
sub answers
{
	my ($columns, @rows) = @_;
	return sub { return ((grep { /^[12]/ } @_), description(map { [ "c$_", 25, 0 ] } 1 .. $columns), (map { row(@$_) } @rows), complete('SELECT ' . @rows), $_[-1]); };
}
my @keys = map { [ $_, 5, qq({"id": "$_"}) ] } 1 .. 4;
my $four = answers(3, [ 1, 4, 77 ]);
my %lies = (
	'fewer rows than counted' => [ { 'other 1' => $four, 'other 2' => answers(3, @keys[ 0, 1 ]) }, qr/fewer rows than the source has counted/ ],
	'more rows than counted' => [ { 'other 1' => $four, 'other 2' => answers(3, @keys, [ 9, 9, '{}' ]) }, qr/more rows than the source has counted/ ],
	'rows in another order' => [ { 'other 1' => $four, 'other 2' => answers(3, reverse @keys) }, qr/rows in another order/ ],
	'no number' => [ { 'other 1' => $four, 'other 2' => answers(3, map { [ 'x', 5, '{}' ] } @keys) }, qr/other columns than asked for/ ],
	'other rows than compared' => [ { 'other 1' => $four, 'other 2' => answers(3, @keys) }, qr/12 rows that differ, and has counted 4/ ],
	'a bucket that does not exist' => [ { other => answers(3, [ -1, 4, 77 ]) }, qr/./ ]);
my $hostile = start_hostile_source(map { ($_ => $lies{$_}[0]) } keys %lies);
$destination->safe_psql('postgres', 'CREATE TABLE hostile (id int PRIMARY KEY, note text); INSERT INTO hostile SELECT g FROM generate_series(100, 120) AS g');
for my $lie (sort keys %lies)
{
	my $define = stored_job("lie $lie", 'SELECT id, note FROM hostile WHERE $1 < $2', first_day => "'2024-01-01'", src_conninfo => '$c$' . $hostile->conninfo($lie) . '$c$',
		target => "'hostile'", mode => "'replace'", settle => "'off'", replace_where => "'true OR \$1::date < \$2::date'");
	fails_with($destination, "$define; " . repair("lie $lie"), '08P01', $lies{$lie}[1], "a source that lies: $lie");
	is($destination->safe_psql('postgres', 'SELECT count(*), min(id) FROM hostile'), '21|100', "a source that lies: $lie: nothing is written");
}

# Two runs of windows that do not overlap each other; the one that ended first commits last.
$source->safe_psql('postgres', q[CREATE TABLE late (id int, at timestamptz); INSERT INTO late SELECT g, timestamptz '2024-01-01 00:00+00' + g * interval '1 hour' FROM generate_series(0, 47) AS g]);
$destination->safe_psql('postgres', 'CREATE TABLE late (id int, at timestamptz)');
$destination->safe_psql('postgres', define_job('late', 'SELECT * FROM late', window_column => "'at'", time_zone => "'UTC'", target => "'late'", mode => "'replace'", window_size => "'2 days'", first_day => "'2024-01-01'"));
{
	my @sessions = map { (open_session($destination))[0] } 1, 2;
	my $load = sub { copy_sql('SELECT * FROM late', "2024-01-0$_[0]", window_column => "'at'", time_zone => "'UTC'", target => "'late'", mode => "'replace'") };
	$sessions[0]->query_safe('BEGIN; ' . $load->(1));
	$destination->safe_psql('postgres', $load->(2));
	$sessions[1]->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM late');
	$sessions[0]->query_safe('COMMIT');
	start_call($sessions[1], q[SELECT * FROM copy_incremental_repair('late', '2024-01-01', '2024-01-02')]);
	is((end_of_call($sessions[1]))[0], '40001', 'a repair does not see the rows of a run that ended earlier and committed later');
	$sessions[1]->query_safe('ROLLBACK');
	$_->quit for @sessions;
}
done_testing();
