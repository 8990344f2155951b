# Concurrent runs of one window, for 051 and 052. start_meeting() starts two servers with a trigger that can block a run
# at a row or make it fail. The other functions start and end such runs.
package MeetingRuns;

use strict;
use warnings;

use TwoServers;
use Test::More;

use Exporter 'import';
our @EXPORT = qw(%target $day $query $held $waiting $source $destination $watcher $first $first_pid
  start_meeting call batches start_anew start_second ends_with rows_are);

our $day = '2018-07-29';
our $query = 'SELECT * FROM rows WHERE day = $1';
our ($source, $destination);
our ($watcher, $first, $first_pid);    # sessions at the destination

sub start_meeting
{
	my $config = "restart_after_crash = on\nmax_connections = 60\nautovacuum = off\ntimezone = 'UTC'\ndeadlock_timeout = 100ms\n";
	($source, $destination) = start_servers(source => $config, destination => $config);
	my $port = $source->port;

	$source->safe_psql('postgres', <<~SQL);
		CREATE TABLE rows (id int PRIMARY KEY, day date, v int);
		CREATE TABLE keyed (LIKE rows);
		CREATE TABLE gate (id int);
		SQL
	$destination->safe_psql('postgres', <<~SQL);
		CREATE TABLE rows (id int, day date, v int);
		CREATE TABLE keyed (id int PRIMARY KEY, day date, v int);
		CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
		  'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END';
		CREATE TRIGGER wait BEFORE INSERT ON keyed FOR EACH ROW
		  WHEN (new.id = nullif(current_setting('test.wait', true), '')::int) EXECUTE FUNCTION wait_here();
		CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
		CREATE TRIGGER fail BEFORE INSERT ON keyed FOR EACH ROW
		  WHEN (new.id = nullif(current_setting('test.fail', true), '')::int) EXECUTE FUNCTION fail();
		CREATE SERVER other_name FOREIGN DATA WRAPPER postgres_fdw
		  OPTIONS (host 'localhost', port '$port', dbname 'postgres');
		CREATE USER MAPPING FOR CURRENT_USER SERVER other_name OPTIONS (user 'etl_reader', password '$TwoServers::password');
		SQL

	($watcher) = open_session($destination);
	($first, $first_pid) = open_session($destination);
	return;
}

# The call of a mode. The target is named, or found from the query's table.
our %target = (named => { target => q('rows') }, found => {});
sub call
{
	my ($mode, %argument) = @_;
	$argument{replace_where} = q('day = $1') if $mode eq 'replace';
	my $given = delete $argument{query} // $query;
	return copy_sql($given, delete $argument{day} // $day, mode => "'$mode'", %argument);
}

sub batches
{
	my ($mode, %argument) = @_;
	return by_batches(call($mode, target => q('keyed'), batch => 100, %argument));
}

# Resets the target, the ledger and the source.
sub start_anew
{
	$destination->safe_psql('postgres', 'TRUNCATE rows, keyed; DELETE FROM pgci_runs');
	$source->safe_psql('postgres', <<~SQL);
		TRUNCATE rows, keyed;
		INSERT INTO rows SELECT g, date '$day' + (g - 1) / 500, 0 FROM generate_series(1, 1000) AS g;
		INSERT INTO keyed TABLE rows;
		SQL
	return;
}

our $waiting = q(SELECT count(*) FROM pg_locks WHERE NOT granted AND (locktype = 'transactionid' OR locktype = 'advisory' AND objsubid = 71));
our $held = q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 71);

# Starts a second run and returns when it waits for the first.
sub start_second
{
	my ($name, @statements) = @_;
	my $second = start_client($destination, 'second', @statements);
	ok(poll_session($watcher, $waiting, 1), "$name: the second waits");
	return $second;
}

sub ends_with
{
	my ($name, $client, $sqlstate, $out) = @_;
	my ($ended, $printed, $said) = end_of_client($client);
	is($ended, $sqlstate, $name) or diag($said);
	is($printed, $out, "$name: answer") if defined $out;
	return $said;
}

sub rows_are
{
	my ($name, $rows, $table) = @_;
	$table //= 'rows';
	is($destination->safe_psql('postgres', "SELECT count(*) FROM $table"), $rows, "$name: rows");
	return;
}

1;
