# R1, H24: what a user without rights plants (functions, operators, types, casts, tables, overloads) is run neither by a
# superuser's call nor by CREATE EXTENSION or ALTER EXTENSION UPDATE, whatever search_path is. Everything planted raises
# "hijacked" when it runs.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $newest = $destination->safe_psql('postgres', q[SELECT extversion FROM pg_extension WHERE extname = 'pg_copy_incremental']);
my $older = $ENV{THROWAWAY_VERSION} or die 'make check sets THROWAWAY_VERSION';

# The operators, with which type on both sides, and the functions that SQL of ours could be thought to use.
my @operators = map { my $type = $_; map { [ $_, $type ] } '=', '<>', '<', '>', '>=', '<=' }
  qw(text name oid int4 int8 timestamptz bool regclass char "char" anyelement);
push @operators, [ '<@', 'tstzrange' ], [ '=', 'tstzrange' ], [ '||', 'text' ], map { [ '~', $_ ], [ '~~', $_ ] } qw(text name);
my @functions = map { [ split /[()]/, $_ ] } split /;\s*/, <<~'LIST' =~ s/\n//gr;
	set_config(text, text, boolean);pg_backend_pid();current_database();encode(bytea, text);version();
	timestamptz_send(timestamptz);pg_postmaster_start_time();strpos(text, text);tstzrange(timestamptz, timestamptz);
	clock_timestamp();format(text, bigint, timestamptz, bigint);row_number();pg_extension_config_dump(regclass, text);
	copy_incremental_batch_rows();copy_incremental_forget(regclass, text, text);copy_incremental(text, text, text, integer);
	copy_incremental(text, text, date, integer);copy_incremental_missing(text, date, date)
	LIST

# Plants all of that as mallory in a schema of hers; `without` names what is left out.
sub plant
{
	my ($node, $database, $schema, $without) = @_;
	my $fails = q[LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked'; END $$];
	my $sql = "CREATE SCHEMA $schema AUTHORIZATION mallory; SET ROLE mallory; SET search_path = $schema;\n";
	for my $operator (@operators)
	{
		my ($name, $type) = @$operator;
		my $function = "operator_" . unpack('H*', "$name$type");
		my $returns = $name eq '||' ? 'pg_catalog.text' : 'pg_catalog.bool';
		$sql .= "CREATE FUNCTION $function($type, $type) RETURNS $returns $fails;"
		  . "CREATE OPERATOR $schema.$name (LEFTARG = $type, RIGHTARG = $type, FUNCTION = $function);\n";
	}
	for my $function (@functions)
	{
		my ($name, $arguments) = @$function;
		next if $without && $name =~ $without;
		my $returns = $name =~ /_rows/ ? 'SETOF record' : $name =~ /_send/ ? 'bytea' : $name =~ /time/ ? 'timestamptz' : 'text';
		$sql .= "CREATE FUNCTION $schema.$name($arguments) RETURNS $returns $fails;\n";
	}
	$sql .= "CREATE FUNCTION checked(anyelement) RETURNS bool $fails;\n";
	$sql .= "CREATE DOMAIN $schema.$_ AS pg_catalog.text CHECK ($schema.checked(VALUE));\n" for qw(text oid record timestamptz int8 regclass name);
	$sql .= <<~SQL;
		CREATE FUNCTION fire() RETURNS trigger $fails;
		CREATE TYPE weird AS (a pg_catalog.int4);
		CREATE FUNCTION cast_it(weird) RETURNS pg_catalog.int4 $fails;
		CREATE CAST (weird AS pg_catalog.int4) WITH FUNCTION cast_it AS IMPLICIT;
		SQL
	for my $table (qw(copy_incremental_runs batch excluded present ordered inserted result pg_class pg_namespace pg_type pg_extension))
	{
		next if $without && $table =~ $without;
		$sql .= "CREATE TABLE $schema.$table (id pg_catalog.int4, status pg_catalog.text);"
		  . "CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE ON $schema.$table FOR EACH STATEMENT EXECUTE FUNCTION fire();\n";
	}
	my ($status, $out, $err) = $node->psql($database, $sql);
	is($err, '', "mallory plants in $schema of $database at the " . $node->name);
	return;
}

$_->safe_psql('postgres', 'CREATE ROLE mallory LOGIN') for $source, $destination;
plant($source, 'postgres', 'evil');
plant($destination, 'postgres', 'evil');
for my $node ($source, $destination)
{
	fails_with($node, 'SET search_path = evil, pg_catalog; SELECT 1 > 0', 'P0001', qr/hijacked/, $node->name . ': an operator lies in wait');
	fails_with($node, 'SET search_path = evil, pg_catalog; SELECT version()', 'P0001', qr/hijacked/, $node->name . ': a function, too');
}
fails_with($destination, 'SET ROLE mallory; CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION evil.fire()', '42501',
	qr/permission denied to create event trigger/, 'mallory may not create an event trigger');
fails_with($destination, 'SET ROLE mallory; CREATE FUNCTION public.copy_incremental(text, text, text, int) RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint $$',
	'42501', qr/permission denied for schema public/, 'mallory may not put an overload beside the extension');
fails_with($destination, q[SET ROLE mallory; CREATE FUNCTION evil.own() RETURNS record LANGUAGE c AS '$libdir/pg_copy_incremental', 'copy_incremental_batch_rows'],
	'42501', qr/permission denied for language c/, 'mallory may not declare functions of the library');

# A superuser's calls. At the source the role finds mallory's schema first as well.
$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE public.rows (id int, moment timestamptz, note text);
	INSERT INTO public.rows SELECT g, timestamptz '2018-07-29 12:00+00', 'row ' || g FROM generate_series(1, 20) AS g;
	GRANT USAGE ON SCHEMA evil TO etl_reader;
	ALTER ROLE etl_reader SET search_path = evil, pg_catalog, public;
	SQL
$destination->safe_psql('postgres', 'CREATE TABLE public.rows (id bigint PRIMARY KEY, moment timestamptz, note varchar(20) UNIQUE)');

$destination->safe_psql('postgres', 'CREATE ROLE reader');

my $between = 'moment OPERATOR(pg_catalog.>=) $1 AND moment OPERATOR(pg_catalog.<) $2';
my $rest = "query_template => \$q\$SELECT * FROM public.rows WHERE $between\$q\$, day => '2018-07-29', batch => 7, time_zone => 'UTC'";
my $at = "target => 'public.rows'";
my %calls = (
	append => "$rest, $at",
	'append, the table found by name' => $rest =~ s/'UTC'/'UTC', on_rerun => 'run'/r,
	skip => "$rest, $at, mode => 'skip'",
	upsert => "$rest, $at, mode => 'upsert', key_columns => '{note}'",
	replace => "$rest, $at, mode => 'replace', replace_where => \$w\$$between\$w\$",
	transform => "$rest, $at, mode => 'upsert', transform => 'SELECT id, moment, note FROM batch'");
for my $path ('evil, public', 'evil, pg_catalog, public', 'evil')
{
	for my $name (sort keys %calls)
	{
		my ($status, $out, $err) = $destination->psql('postgres', "TRUNCATE public.rows, public.pgci_runs;"
			  . "SET search_path = $path; SELECT public.copy_incremental(src_conninfo => 'src', $calls{$name})");
		is("$out$err", '20', "search_path $path: $name");
	}
	$destination->safe_psql('postgres', stored_job('seen', 'SELECT * FROM public.rows', first_day => q['2018-07-29']));
	is($destination->safe_psql('postgres', "SET search_path = $path; SELECT public.copy_incremental_forget('public.rows', '2018-07-29', '2018-07-29');"
		  . "SELECT pg_catalog.count(*) FROM public.copy_incremental_missing('seen', '2018-07-29', '2018-07-30')"), "1\n2",
		"search_path $path: forget and missing");
	is($destination->safe_psql('postgres', "SET search_path = $path; CALL public.copy_incremental_batches(src_conninfo => 'src', $calls{upsert});"
		  . "SELECT status FROM public.copy_incremental_runs ORDER BY run_id USING OPERATOR(pg_catalog.>) LIMIT 1"), 'succeeded',
		"search_path $path: the procedure");
	my ($status, $out, $err) = $destination->psql('postgres', "SET search_path = $path; SELECT public.copy_incremental_grant('reader')");
	is("$status$out$err", '0', "search_path $path: grant");
}

# A temporary table of the session's own is no ledger either.
is($destination->safe_psql('postgres', "CREATE TEMP TABLE copy_incremental_runs (x int); CREATE TEMP TABLE batch (id int);"
	  . "SELECT public.copy_incremental(src_conninfo => 'src', $calls{transform}); SELECT count(*) FROM pg_temp.copy_incremental_runs"),
	"0\n0", 'temporary look-alikes: nothing was different, nothing went into them');

# A caller with few rights: the ledger is written as its owner, and nothing of the caller's runs then.
$destination->safe_psql('postgres', <<~SQL);
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO mallory;
	GRANT EXECUTE ON ALL PROCEDURES IN SCHEMA public TO mallory;
	GRANT USAGE ON FOREIGN SERVER src TO mallory;
	CREATE USER MAPPING FOR mallory SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	SET ROLE mallory; SET search_path = pg_catalog;
	CREATE TABLE evil.own (id int PRIMARY KEY, moment timestamptz, note text, who name DEFAULT current_user);
	CREATE FUNCTION evil.look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.who = current_user; RETURN NEW; END';
	CREATE TRIGGER look BEFORE INSERT ON evil.own FOR EACH ROW EXECUTE FUNCTION evil.look();
	SQL
is($destination->safe_psql('postgres', "SET ROLE mallory; SET search_path = evil, pg_catalog;"
	  . "SELECT public.copy_incremental(src_conninfo => 'src', $rest, target => 'evil.own');"
	  . "RESET search_path; SELECT count(*), min(who) FROM evil.own; SELECT DISTINCT username FROM copy_incremental_runs"),
	"20\n20|mallory\nmallory", 'a caller with few rights: its triggers run as itself');

# Installation and update, in a schema of mallory's and with one of hers first on search_path.
sub install
{
	my ($database, $schema, $plan) = @_;
	return $destination->psql($database, "SET search_path = evil, pg_catalog; CREATE EXTENSION pg_copy_incremental SCHEMA $schema $plan");
}
sub versions
{
	return $destination->safe_psql($_[0], q[SELECT extversion FROM pg_extension WHERE extname = 'pg_copy_incremental']);
}
$destination->safe_psql('postgres', 'CREATE DATABASE other');
plant($destination, 'other', 'evil');
my (undef, undef, $error) = install('other', 'public', '');
is($error . versions('other'), $newest, 'CREATE EXTENSION, mallory first on search_path');
$destination->safe_psql('other', 'DROP EXTENSION pg_copy_incremental');
(undef, undef, $error) = install('other', 'public', "VERSION '$older'");
(undef, undef, my $update) = $destination->psql('other', 'SET search_path = evil, pg_catalog; ALTER EXTENSION pg_copy_incremental UPDATE');
is($error . $update . versions('other'), $newest, 'ALTER EXTENSION UPDATE, mallory first on search_path');
$destination->safe_psql('other', 'DROP EXTENSION pg_copy_incremental');

# In her own schema, objects in the way are an error, and nothing that she owns becomes part of the extension.
(undef, undef, $error) = install('other', 'evil', '');
like($error, qr/relation "copy_incremental_runs" already exists/, 'CREATE EXTENSION, a table in the way');
plant($destination, 'other', 'evil2', qr/_runs/);
(undef, undef, $error) = install('other', 'evil2', '');
like($error, qr/function "copy_incremental_\w+" already exists with same argument types/, 'CREATE EXTENSION, a function in the way');
plant($destination, 'other', 'evil3', qr/^copy_incremental/);
(undef, undef, $error) = install('other', 'evil3', "VERSION '$older'");
is($error . versions('other'), $older, 'CREATE EXTENSION, operators, types and look-alikes of catalogues in its schema');
$destination->safe_psql('other', 'SET ROLE mallory; CREATE TABLE evil3.copy_incremental_runs (run_id bigint)');
(undef, undef, $error) = $destination->psql('other', 'ALTER EXTENSION pg_copy_incremental UPDATE');
like($error . versions('other'), qr/relation "copy_incremental_runs" already exists.*\Q$older\E$/s, 'ALTER EXTENSION UPDATE, a table in the way');
$destination->safe_psql('other', 'DROP TABLE evil3.copy_incremental_runs; ALTER EXTENSION pg_copy_incremental UPDATE');
is(versions('other'), $newest, 'ALTER EXTENSION UPDATE, the same in its schema');
is($destination->safe_psql('other', <<~'SQL'), '0', 'nothing of mallory belongs to the extension');
	SELECT count(*) FROM pg_depend AS d JOIN pg_shdepend AS o ON o.classid = d.classid AND o.objid = d.objid AND o.deptype = 'o'
	  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND o.refobjid = 'mallory'::regrole
	SQL
is($destination->safe_psql('other', 'SET search_path = pg_catalog; DROP OWNED BY mallory CASCADE; SELECT count(*) FROM pg_namespace'
	  . q[ WHERE nspname ~ 'evil']), '0', 'her schemas go');

# A schema of its own, whose name needs care.
my $odd = q["we""ird; $$ 'schema"];
$destination->safe_psql('other', <<~SQL);
	DROP EXTENSION IF EXISTS pg_copy_incremental;
	CREATE SCHEMA $odd;
	CREATE EXTENSION pg_copy_incremental SCHEMA $odd;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER src FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '@{[ $source->port ]}', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE TABLE public.rows (id bigint PRIMARY KEY, moment timestamptz, note varchar(20) UNIQUE);
	SQL
for my $name (sort keys %calls)
{
	is($destination->safe_psql('other', "TRUNCATE public.rows; SELECT $odd.copy_incremental_forget('rows', NULL, NULL) \\g /dev/null\n"
		  . "SELECT $odd.copy_incremental(src_conninfo => 'src', $calls{$name})"), '20', "an odd schema: $name");
}
is($destination->safe_psql('other', "SELECT count(*) > 0 FROM $odd.copy_incremental_runs; DROP EXTENSION pg_copy_incremental; DROP SCHEMA $odd"),
	't', 'an odd schema: the ledger is there, and all of it goes');

# The rules for every function, against the catalogue, except those of types and their casts. All may execute two: one only raises an error for them, the other, which the
# view of jobs calls, computes its result from its arguments.
is($destination->safe_psql('postgres', <<~'SQL'), qq(copy_incremental_batch_rows|{execute}\npgci_backlog|{"not volatile","not parallel unsafe",strict,execute}), 'every function keeps the rules');
	WITH members AS (SELECT p.* FROM pg_depend AS d JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	                  WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	                    AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_copy_incremental')
	                    AND p.oid NOT IN (SELECT typinput FROM pg_type UNION ALL SELECT typoutput FROM pg_type UNION ALL SELECT castfunc FROM pg_cast)),
	     broken AS (SELECT proname, array_remove(ARRAY[
	                  CASE WHEN prosecdef THEN 'security definer' END,
	                  CASE WHEN provolatile <> 'v' THEN 'not volatile' END,
	                  CASE WHEN proparallel <> 'u' THEN 'not parallel unsafe' END,
	                  CASE WHEN proisstrict THEN 'strict' END,
	                  CASE WHEN proconfig IS NOT NULL THEN 'settings' END,
	                  CASE WHEN prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') THEN 'language' END,
	                  CASE WHEN has_function_privilege('public', oid, 'EXECUTE') THEN 'execute' END], NULL) AS rules FROM members)
	SELECT proname, rules FROM broken WHERE rules <> '{}' ORDER BY proname
	SQL
is($destination->safe_psql('postgres', q[SELECT count(*), bool_and(superuser), bool_or(trusted), bool_or(relocatable)
	FROM pg_available_extension_versions WHERE name = 'pg_copy_incremental']), '2|t|f|f', 'every version: superuser, not trusted, not relocatable');

done_testing();
