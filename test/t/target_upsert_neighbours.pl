# An upsert beside row security and other sessions: rows that the caller or its snapshot does not see end the run, and are never
# written twice or changed.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
$source->safe_psql('postgres', "CREATE TABLE users (id int, tenant text, v text); INSERT INTO users VALUES (1, 'a', 'new'), (2, 'a', 'new')");
$destination->safe_psql('postgres', <<~SQL);
	CREATE ROLE app LOGIN;
	SELECT copy_incremental_grant('app');
	GRANT USAGE ON FOREIGN SERVER src TO app;
	CREATE USER MAPPING FOR app SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	SQL
my $upsert = copy_sql('SELECT * FROM users', undef, mode => "'upsert'", target => "'users'");
sub value { return $destination->safe_psql('postgres', $_[0]) }
my $rows = q[SELECT string_agg(concat(id, tenant, v), ' ' ORDER BY id) FROM users];

# MERGE, also with a trigger; ON CONFLICT for a partitioned table.
for my $shape (
	[ 'a table', '(id int PRIMARY KEY, tenant text, v text)' ],
	[ 'a table with a trigger', '(id int PRIMARY KEY, tenant text, v text); CREATE TRIGGER pass BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION pass()' ],
	[ 'a partitioned table', '(id int PRIMARY KEY, tenant text, v text) PARTITION BY RANGE (id); CREATE TABLE users_all PARTITION OF users DEFAULT' ])
{
	my ($name, $table) = @$shape;
	my $fresh = "DROP TABLE IF EXISTS users; CREATE OR REPLACE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
	  . "CREATE TABLE users $table; GRANT ALL ON users TO app; ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
	  . "CREATE POLICY own ON users USING (tenant = 'a')";

	# Row security of the caller
	value("$fresh; INSERT INTO users VALUES (1, 'a', 'old'), (3, 'b', 'old')");
	is(value("SET ROLE app; $upsert"), 2, "$name: rows that the policy allows are inserted and updated");
	is(value($rows), '1anew 2anew 3bold', "$name: and no others");
	value("$fresh; INSERT INTO users VALUES (1, 'b', 'old')");
	fails_with($destination, "SET ROLE app; $upsert", '42501', qr/row-level security policy/, "$name: a key that only others see");
	is(value($rows), '1bold', "$name: nothing is written");
	$source->safe_psql('postgres', "UPDATE users SET tenant = 'b' WHERE id = 2");
	value("$fresh; INSERT INTO users VALUES (2, 'a', 'old')");
	fails_with($destination, "SET ROLE app; $upsert", '42501', qr/new row violates row-level security policy/, "$name: a row that the policy refuses, of an existing key");
	value("TRUNCATE users");
	fails_with($destination, "SET ROLE app; $upsert", '42501', qr/new row violates row-level security policy/, "$name: of a new one");
	is(value($rows), '', "$name: nothing is written");
	$source->safe_psql('postgres', "UPDATE users SET tenant = 'a' WHERE id = 2");

	# Transactions whose snapshot does not see what others have committed since
	for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
	{
		for my $other ([ 'inserts', "INSERT INTO users VALUES (1, 'a', 'other')" ], [ 'updates', "UPDATE users SET v = 'other' WHERE id = 2" ], [ 'deletes', 'DELETE FROM users WHERE id = 2' ])
		{
			my ($does, $statement) = @$other;
			value("TRUNCATE users; INSERT INTO users VALUES (2, 'a', 'old')");
			my ($session) = open_session($destination);
			$session->query_safe("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM users");
			value($statement);
			my ($state, $said) = outcome_of($session, $upsert);
			# INSERT ... ON CONFLICT, as PostgreSQL has it, inserts a key that another session has deleted.
			if ($level eq 'READ COMMITTED' || $does eq 'deletes' && $name eq 'a partitioned table')
			{
				is("$state " . (outcome_of($session, 'COMMIT'))[0] . ' ' . value($rows), '00000 00000 1anew 2anew', "$name, $level: another session $does a key") or diag($said);
			}
			else
			{
				is("$state " . value($rows), '40001 ' . ($does eq 'inserts' ? '1aother 2aold' : $does eq 'updates' ? '2aother' : ''), "$name, $level: another session $does a key") or diag($said);
			}
			$session->quit;
		}
	}

	# Rows that another session has written and not yet committed: the run waits for it, and then writes all of its own rows.
	for my $call ([ 'plain', $upsert ], [ 'update_where', $upsert =~ s/'users'\)/'users', update_where => 'excluded.v > users.v')/r ],
		[ 'transform', $upsert =~ s/'users'\)/'users', transform => 'SELECT * FROM batch')/r ])
	{
		for my $other ([ 'inserts', "INSERT INTO users VALUES (1, 'a', 'in')" ], [ 'updates', "UPDATE users SET v = 'in' WHERE id = 2" ], [ 'deletes', 'DELETE FROM users WHERE id = 2' ])
		{
			my ($option, $sql) = @$call;
			my ($does, $statement) = @$other;
			value("TRUNCATE users; INSERT INTO users VALUES (2, 'a', 'a')");
			my ($session) = open_session($destination);
			$session->query_safe("BEGIN; $statement");
			my $client = start_client($destination, 'waiting', $sql);
			ok(wait_until($destination, q[SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'waiting' AND wait_event = 'transactionid']), "$name, $option: waits for a session that $does a key");
			$session->query_safe('COMMIT');
			my ($state, undef, $said) = end_of_client($client);
			is("$state " . value($rows), '00000 1anew 2anew', "$name, $option: and writes its rows") or diag($said);
			$session->quit;
		}
	}
}
done_testing();
