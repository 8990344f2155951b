# A partition that another session attaches or detaches while a run is under way: the next batch finds it, or not; method copy says
# that it does not look again. A partition that is missing is the same error in every mode.
use strict;
use warnings;

use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

$source->safe_psql('postgres', 'CREATE TABLE reading AS SELECT g AS id FROM generate_series(1, 100) AS g');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE reading (id int) PARTITION BY RANGE (id);
	CREATE TABLE first PARTITION OF reading FOR VALUES FROM (1) TO (41);
	CREATE TABLE second (id int);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(CASE WHEN NEW.id = 40 THEN 1 ELSE 2 END); RETURN NEW; END';
	CREATE TRIGGER hold BEFORE INSERT ON first FOR EACH ROW EXECUTE FUNCTION hold();
	SQL

sub run_beside
{
	my ($call, $change) = @_;
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	my $client = start_client($destination, 'loader', $call);
	ok(poll_session($holder, q[SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted]), 'the run is within a batch');
	$holder->query_safe($change);
	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	my @end = end_of_client($client);
	$holder->quit;
	return @end;
}

my $attach = 'ALTER TABLE reading ATTACH PARTITION second FOR VALUES FROM (41) TO (101)';
for my $option ([], [ on_error => "'reject'" ], [ mode => "'append'", transform => "'SELECT id FROM batch'" ])
{
	my $name = "options @$option";
	my ($state, $rows, $said) = run_beside(copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", batch => 10, @$option), $attach);
	is("$state $rows", '00000 100', "$name: the rows of a new partition") or diag($said);
	is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM first), count(*) FROM second'), '40|60', "$name: they are in it");
	$destination->safe_psql('postgres', 'ALTER TABLE reading DETACH PARTITION second; TRUNCATE reading, second; DELETE FROM pgci_runs');
}
# COPY is one statement.
for my $case ([ 'cursor', 'SELECT 1', '' ], [ 'copy', $attach, ' Method copy does not find partitions that are attached while it runs.' ])
{
	my ($method, $change, $more) = @$case;
	my ($state, undef, $said) = run_beside(copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", batch => 10, method => "'$method'"), $change);
	is($state, '23514', "$method: no partition takes the rows") or diag($said);
	like($said, qr/HINT:  Attach a partition for the row and run it again\.$more\n/, "$method: the hint");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM reading'), '0', "$method: nothing is written");
}
is($destination->safe_psql('postgres', copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", method => "'copy'")), '100', 'copy: the next run finds the partition');

# A partition that is detached while the run is under way. DETACH waits for the run; CONCURRENTLY only to end. Then a cursor does not
# use the partition for the next batch, and COPY uses it to the end, as if the run had come first.
for my $case ([ 'cursor', '23514', 0 ], [ 'copy', '00000', 60 ])
{
	my ($method, $want, $in_second) = @$case;
	# The last run of the loop above has left it attached.
	$destination->safe_psql('postgres', ($method eq 'copy' ? "$attach; " : '') . 'TRUNCATE reading; DELETE FROM pgci_runs');
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(1)');
	my $client = start_client($destination, 'loader', copy_sql('SELECT * FROM reading ORDER BY id', undef, target => "'reading'", batch => 10, method => "'$method'"));
	ok(poll_session($holder, q[SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted]), "$method: the run is within a batch");
	my $detach = start_client($destination, 'detach', 'ALTER TABLE reading DETACH PARTITION second CONCURRENTLY');
	ok(poll_session($holder, q[SELECT count(*) = 1 FROM pg_inherits WHERE inhdetachpending]), "$method: the partition is being detached");
	$holder->query_safe('SELECT pg_advisory_unlock(1)');
	my ($state, undef, $said) = end_of_client($client);
	is($state, $want, "$method: the end of the run") or diag($said);
	like($said, qr/HINT:  Attach a partition for the row and run it again\./, "$method: the hint") if $want ne '00000';
	is((end_of_client($detach))[0], '00000', "$method: the partition is detached");
	is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM second), count(*) FROM reading'), $in_second . ($in_second ? '|40' : '|0'), "$method: the rows");
	$holder->quit;
}

# A partition that is missing is the same error in every mode, and the row is rejected if the run rejects rows.
$destination->safe_psql('postgres', 'CREATE TABLE keyed (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES FROM (1) TO (100)');
my @without_day = ('SELECT * FROM reading ORDER BY id', undef, target => "'keyed'", batch => 10);
$destination->safe_psql('postgres', define_job('keyed', 'SELECT * FROM reading', window_size => 'NULL', target => "'keyed'"));
for my $call ((map { copy_sql(@without_day, mode => "'$_'", $_ eq 'replace' ? (replace_where => "'true'") : ()) } qw(append skip upsert replace)),
	(map { copy_sql(@without_day, method => "'copy'", mode => "'$_'", $_ eq 'replace' ? (replace_where => "'true'") : ()) } qw(append replace)),
	copy_sql(@without_day, transform => "'SELECT id FROM batch'"), by_batches(copy_sql(@without_day, mode => "'upsert'")), q[SELECT * FROM copy_incremental_repair('keyed', NULL, NULL)])
{
	fails_with($destination, $call, '23514', qr/no partition of relation "keyed" found for row.*HINT:  Attach a partition for the row and run it again\./s, "no partition: $call");
}
$destination->safe_psql('postgres', 'TRUNCATE keyed; DELETE FROM pgci_runs');
is($destination->safe_psql('postgres', copy_sql(@without_day, on_error => "'reject'")), '99', 'a row without a partition is rejected');

no_session_left($source, 'no session is left at the source');
done_testing();
