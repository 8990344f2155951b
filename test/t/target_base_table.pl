# What mode replace and repairs write through a view, or into tables of other servers, must be what they delete the next time.
use strict;
use warnings;

use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my ($host, $port) = ($destination->host, $destination->port);
$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE sale (id int, region text, at timestamptz);
	INSERT INTO sale SELECT g, CASE g % 2 WHEN 0 THEN 'eu' ELSE 'us' END, timestamptz '2018-07-29 00:00+00' + g * interval '1 hour' FROM generate_series(0, 71) AS g;
	SQL
$destination->safe_psql('postgres', <<~SQL);
	CREATE TABLE base (id int, region text, at timestamptz);
	CREATE DATABASE shard;
	CREATE SERVER shard FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'shard');
	CREATE USER MAPPING FOR CURRENT_USER SERVER shard;
	SQL
$destination->safe_psql('shard', 'CREATE TABLE sale (id int, region text, at timestamptz)');
my %window = (window_column => "'at'", time_zone => "'UTC'", target => "'sale'", mode => "'replace'");
sub results { return one_line($destination, 'verbose', @_) }
sub load_sql { my ($day, %more) = @_; return copy_sql('SELECT * FROM sale', "2018-07-$day", %window, %more) }
sub job { my (%more) = @_; return define_job('sale', 'SELECT * FROM sale', %window, first_day => "'2018-07-29'", %more) }

# Views.
my $filter = q[SELECT * FROM base WHERE region = 'eu'];
for my $case (
	[ 'a view with a condition', "CREATE VIEW sale AS $filter", 0 ],
	[ 'a view of such a view', "CREATE VIEW inner_sale AS $filter; CREATE VIEW sale AS SELECT * FROM inner_sale", 0 ],
	[ 'a local check option above such a view', "CREATE VIEW inner_sale AS $filter; CREATE VIEW sale AS SELECT * FROM inner_sale WHERE id >= 0 WITH LOCAL CHECK OPTION", 0 ],
	[ 'a cascaded check option above such a view', "CREATE VIEW inner_sale AS $filter; CREATE VIEW sale AS SELECT * FROM inner_sale WITH CASCADED CHECK OPTION", 44000 ],
	[ 'a check option', "CREATE VIEW sale AS $filter WITH LOCAL CHECK OPTION", 44000 ],
	[ 'a view without a condition', 'CREATE VIEW sale AS SELECT * FROM base', 24 ])
{
	my ($name, $create, $result) = @$case;
	$destination->safe_psql('postgres', "SET client_min_messages = error; DROP VIEW IF EXISTS sale, inner_sale CASCADE; TRUNCATE base; DELETE FROM pgci_jobs; $create");
	my @said = map { results(load_sql('29')) } 1, 2;
	if ($result == 24)
	{
		is($_, '24', "$name: replaced") for @said;
		is(results('SELECT count(*) FROM base'), '24', "$name: each row once");
		next;
	}
	my $error = $result ? qr/ERROR:  44000: new row violates check option/ : qr/ERROR:  0A000: mode replace cannot be used with view public\.(inner_)?sale, which has a condition and no check option DETAIL:  .* HINT:  Run ALTER VIEW public\.\1?sale SET \(check_option = cascaded\)/;
	like($_, $error, "$name: refused") for @said;
	is(results('SELECT count(*) FROM base'), '0', "$name: nothing is written");
	next if $result;
	is(results(load_sql('29', mode => "'append'", on_rerun => "'run'")), '24', "$name: append is possible");
	results(job(mode => "'append'"));
	like(results(q[SELECT * FROM copy_incremental_repair('sale', '2018-07-29', '2018-07-29')]), qr/ERROR:  0A000: a repair cannot be used with view/, "$name: no repair");
}

# Row-level security behind a view, of its owner or of the caller.
$destination->safe_psql('postgres', <<~'SQL');
	SET client_min_messages = error;
	DROP VIEW sale; DELETE FROM pgci_jobs; TRUNCATE base;
	CREATE ROLE shop;
	ALTER TABLE base ENABLE ROW LEVEL SECURITY;
	CREATE POLICY adds ON base FOR INSERT WITH CHECK (true);
	CREATE POLICY sees ON base FOR SELECT USING (region = 'eu');
	CREATE POLICY deletes ON base FOR DELETE USING (region = 'eu');
	GRANT ALL ON base TO shop;
	CREATE VIEW sale AS SELECT * FROM base; ALTER VIEW sale OWNER TO shop;
	SQL
like(results(load_sql('29')), qr/ERROR:  0A000: mode replace cannot be used where row-level security applies to you/, 'row-level security of the owner of a view');
$destination->safe_psql('postgres', 'ALTER VIEW sale SET (security_invoker = true)');
is(results(load_sql('29')), '24', 'not that of the owner, if the view has security_invoker');
$destination->safe_psql('postgres', 'DROP VIEW sale; TRUNCATE base');

# PostgreSQL checks what a view with security_invoker reads as the caller, also below another view.
$destination->safe_psql('postgres', <<~'SQL');
	SET client_min_messages = error;
	TRUNCATE base; DELETE FROM pgci_runs;
	CREATE ROLE keeper; GRANT ALL ON base TO keeper; GRANT CREATE, USAGE ON SCHEMA public TO keeper;
	GRANT USAGE ON FOREIGN SERVER src TO keeper; SELECT copy_incremental_grant('keeper');
	CREATE VIEW inner_sale WITH (security_invoker = true) AS SELECT * FROM base; GRANT ALL ON inner_sale TO keeper;
	CREATE VIEW sale AS SELECT * FROM inner_sale; GRANT ALL ON sale TO keeper;
	SQL
$destination->safe_psql('postgres', "CREATE USER MAPPING FOR keeper SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')");
like(results('SET ROLE keeper', load_sql('29')), qr/ERROR:  0A000: mode replace cannot be used where row-level security applies to you/, 'row-level security below a view with security_invoker');
$destination->safe_psql('postgres', 'DROP VIEW sale, inner_sale; ALTER TABLE base DISABLE ROW LEVEL SECURITY');

# A view that a trigger writes.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO base VALUES (NEW.id, NEW.region, NEW.at); RETURN NEW; END';
	CREATE VIEW sale AS SELECT * FROM base WHERE region = 'eu';
	CREATE TRIGGER put INSTEAD OF INSERT ON sale FOR EACH ROW EXECUTE FUNCTION put();
	SQL
like(results(load_sql('29')), qr/ERROR:  44000: view public\.sale shows only 12 of the 24 rows that mode replace has written/, 'a view whose trigger writes rows that it does not show');
is(results(copy_sql(q[SELECT * FROM sale WHERE region = 'eu'], '2018-07-29', %window)), '12', 'rows that it shows') for 1, 2;
is(results('SELECT count(*) FROM base'), '12', 'each row once');
$destination->safe_psql('postgres', 'DROP VIEW sale; TRUNCATE base');

# Tables of another server, whose transaction may have begun earlier.
for my $table ('CREATE FOREIGN TABLE sale (id int, region text, at timestamptz) SERVER shard',
	'CREATE TABLE sale (id int, region text, at timestamptz) PARTITION BY LIST (region); CREATE FOREIGN TABLE part PARTITION OF sale DEFAULT SERVER shard OPTIONS (table_name $$sale$$)',
	'CREATE FOREIGN TABLE part (id int, region text, at timestamptz) SERVER shard OPTIONS (table_name $$sale$$); CREATE VIEW sale AS SELECT * FROM part')
{
	my ($name) = $table =~ /^CREATE (\w+)/ ? ($table =~ /VIEW/ ? 'a view of a foreign table' : $1 eq 'FOREIGN' ? 'a foreign table' : 'a foreign partition') : '';
	$destination->safe_psql('postgres', "SET client_min_messages = error; DROP FOREIGN TABLE IF EXISTS part CASCADE; DO 'BEGIN DROP TABLE IF EXISTS sale; EXCEPTION WHEN wrong_object_type THEN DROP FOREIGN TABLE sale; END'; DELETE FROM pgci_jobs; TRUNCATE pgci_runs; $table");
	$destination->safe_psql('shard', 'TRUNCATE sale');
	results(job());
	my ($early) = open_session($destination);
	my $again = sub { my ($call) = @_; $early->query_safe('BEGIN; SELECT count(*) FROM sale'); is(results(load_sql('29')), '24', "$name: another session"); start_call($early, $call); my ($sqlstate) = end_of_call($early); $early->query_safe('ROLLBACK'); return $sqlstate };
	is($again->(load_sql('29')), '40001', "$name: mode replace after another run");
	is($again->(q[SELECT * FROM copy_incremental_repair('sale', '2018-07-29', '2018-07-29')]), '40001', "$name: a repair after another run");
	is($destination->safe_psql('shard', 'SELECT count(*) FROM sale'), '24', "$name: each row once");
	is(results('BEGIN', load_sql('29'), load_sql('30'), load_sql('29'), 'COMMIT'), '24 24 24', "$name: the transaction's own runs are no reason");
	is($destination->safe_psql('shard', 'SELECT count(*) FROM sale'), '48', "$name: each row once again");
	is(results('BEGIN', 'SAVEPOINT a', load_sql('29'), 'RELEASE a', load_sql('29'), 'COMMIT'), '24 24', "$name: nor are those of a savepoint");
	my ($long) = open_session($destination);
	$long->query_safe('BEGIN; ' . load_sql('29'));
	$early->query_safe('BEGIN; SELECT count(*) FROM sale');
	start_call($early, load_sql('29'));
	ok(wait_until($destination, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock']), "$name: a run waits for another one");
	$long->query_safe('COMMIT');
	is((end_of_call($early))[0], '40001', "$name: which ended before the transaction began, and committed later");
	$early->query_safe('ROLLBACK');
	$long->quit;
	$early->quit;
	for my $mode ('append', 'replace')
	{
		like(results('BEGIN ISOLATION LEVEL SERIALIZABLE', load_sql('31', mode => "'$mode'")), qr/ERROR:  0A000: a serializable transaction cannot load into public\.sale/, "$name: serializable, $mode");
	}
	is(results('BEGIN ISOLATION LEVEL REPEATABLE READ', load_sql('31'), 'COMMIT'), '24', "$name: repeatable read");
	$destination->safe_psql('shard', 'TRUNCATE sale');
	like(results('TRUNCATE pgci_runs', 'SET default_transaction_isolation = serializable', q[CALL copy_incremental_backfill('sale', '2018-07-29', '2018-07-30', workers => 2)]), qr/ERROR:  0A000/, "$name: workers");
	is($destination->safe_psql('shard', 'SELECT count(*) FROM sale'), '0', "$name: nothing is written");
}
no_session_left($source, 'no session is left at the source');
done_testing();
