# The extension's tables and functions belong to a role that is no superuser: what it hangs on them does not run with the
# privileges of whoever copies.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

sub results { return one_line($destination, 'verbose', @_); }

on_both('CREATE TABLE job (id int, day date)', $source, $destination);
$source->safe_psql('postgres', "INSERT INTO job SELECT g, '2018-07-29' FROM generate_series(1, 10) AS g");
my $call = copy_sql('SELECT * FROM job WHERE day = $1', '2018-07-29');
my $rejecting = copy_sql('SELECT * FROM job WHERE day = $1', '2018-07-29', on_error => "'reject'");
my $seen = 'SELECT string_agg(DISTINCT who, $$,$$) FROM evil.seen';

$destination->safe_psql('postgres', <<'SQL');
	CREATE ROLE mallory;
	CREATE SCHEMA evil AUTHORIZATION mallory;
	ALTER TABLE job ADD CHECK (id <> 7);
	ALTER TABLE pgci_runs OWNER TO mallory;
	ALTER TABLE pgci_rejects OWNER TO mallory;
	ALTER TABLE pgci_jobs OWNER TO mallory;
	ALTER TABLE pgci_coverage OWNER TO mallory;
	ALTER FUNCTION copy_incremental_batch_rows OWNER TO mallory;
	GRANT CREATE ON SCHEMA public TO mallory;
	SET ROLE mallory;
	CREATE TABLE evil.seen (who text);
	GRANT INSERT ON evil.seen TO PUBLIC;
	CREATE FUNCTION evil.fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	  INSERT INTO evil.seen VALUES (current_user); PERFORM set_config('search_path', 'evil', false);
	  PERFORM set_config('application_name', 'evil', false); RETURN NULL; END$$;
	CREATE FUNCTION evil.look(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
	  INSERT INTO evil.seen VALUES (current_user); RETURN true; END$$;
	CREATE FUNCTION evil.look_unchanging(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN evil.look($1); END$$;
SQL
is(results($rejecting), '9', 'the owner is no superuser: a copy');

# Different owners: a statement on one table also reads another.
$destination->safe_psql('postgres', 'CREATE ROLE other; ALTER TABLE pgci_jobs OWNER TO other');
like(results($call =~ s/7-29'/7-28'/r), qr/ERROR:  42501: permission denied for table pgci_jobs HINT:  The tables of pg_copy_incremental must all belong to one role/, 'tables of different owners');
$destination->safe_psql('postgres', 'ALTER TABLE pgci_jobs OWNER TO mallory');

# Deferred: it would fire at the commit, as the user who copies.
for my $table (qw(pgci_runs pgci_rejects))
{
	results('SET ROLE mallory', "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON $table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.fire()");
	like(results($rejecting), qr/ERROR:  42501: cannot fire deferred trigger within security-restricted operation.*HINT:  The tables of pg_copy_incremental must .* deferrable triggers/,
		"a deferred trigger on $table is refused");
	is(results($seen), '', "and does not fire: $table");
	results("DROP TRIGGER later ON $table");
}

# At once: as its owner, and without an effect on the session.
results('SET ROLE mallory', 'CREATE TRIGGER now AFTER INSERT OR UPDATE ON pgci_runs FOR EACH ROW EXECUTE FUNCTION evil.fire()');
is(results("SET application_name = 'mine'", $call =~ s/7-29'/7-30'/r, 'SHOW search_path', 'SHOW application_name', $seen),
	'0 "$user", public mine mallory', 'a trigger that is not deferred: fires as the owner, and leaves the settings of the session alone');
results('DROP TRIGGER now ON pgci_runs', 'TRUNCATE evil.seen', 'SET ROLE mallory',
	'ALTER TABLE pgci_runs ADD CHECK (evil.look(source))',
	'CREATE RULE also AS ON INSERT TO pgci_runs DO ALSO INSERT INTO evil.seen VALUES (current_user)',
	'CREATE INDEX ON pgci_runs (evil.look_unchanging(mode))', 'ALTER TABLE pgci_runs ALTER bytes SET DEFAULT evil.look($$$$)::int');
is(results('TRUNCATE evil.seen', $call =~ s/7-29'/7-31'/r, $seen), '0 mallory', 'checks, rules, indexes and defaults: as the owner');

# The function that the INSERT of the caller executes.
results('SET ROLE mallory', q[CREATE OR REPLACE FUNCTION copy_incremental_batch_rows() RETURNS SETOF record LANGUAGE plpgsql AS
	$$BEGIN INSERT INTO evil.seen VALUES ('function ' || current_user); END$$]);
like(results($call), qr/ERROR:  42501: function copy_incremental_batch_rows\(\) is not that of the extension/, 'a function that its owner has replaced is refused');
unlike(results($seen), qr/function/, 'and is not executed');

done_testing();
