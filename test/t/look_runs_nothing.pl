# explain and describe run no function of the expressions of a job, which the planner would compute if it is immutable: what they need
# of a statement, they take from its analysis, unless an extension has a planner of its own. Every deed of mallory's leaves a row that says as whom it ran.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
$source->safe_psql('postgres', q[CREATE TABLE s (id int PRIMARY KEY, at timestamptz, note text); INSERT INTO s VALUES (1, '2024-01-01 12:00+00', 'one')]);
$destination->safe_psql('postgres', <<"SQL");
CREATE ROLE mallory; CREATE ROLE monitor IN ROLE mallory; CREATE SCHEMA mallory AUTHORIZATION mallory;
SELECT copy_incremental_grant('mallory'), copy_incremental_grant('monitor');
GRANT USAGE ON FOREIGN SERVER src TO mallory, monitor;
CREATE USER MAPPING FOR mallory SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
CREATE USER MAPPING FOR monitor SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
CREATE TABLE deeds (what text, who name); GRANT INSERT ON deeds TO PUBLIC; GRANT SELECT ON deeds TO mallory;
SET ROLE mallory; SET search_path = mallory;
CREATE FUNCTION deed(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.deeds VALUES (\$1, current_user); RETURN \$1; END';
CREATE FUNCTION fold(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN mallory.deed(\$1); END';
CREATE FUNCTION same(text, text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM mallory.deed(''same''); RETURN \$1 = \$2; END';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same, RESTRICT = eqsel);
CREATE TABLE s (id int PRIMARY KEY, at timestamptz, note text); INSERT INTO s VALUES (1, '2024-01-01 12:00+00', 'one'); ANALYZE s;
SQL

my $select = 'SELECT * FROM public.s WHERE at >= $1 AND at < $2';
my %common = (first_day => "'2024-01-01'", time_zone => "'UTC'", target => "'mallory.s'");
my $slice = 'at >= $1 AND at < $2';
sub job
{
	my ($name, %options) = @_;
	$destination->safe_psql('postgres', 'SET ROLE mallory;' . define_job($name, $select, %common, %options));
	$destination->safe_psql('postgres', 'TRUNCATE deeds');
	return;
}
sub deeds { return $destination->safe_psql('postgres', q[SELECT string_agg(DISTINCT what || ' as ' || who, ', ') FROM deeds]); }

my %jobs = (
	transform => { mode => "'replace'", transform => q[$$SELECT id, at, mallory.fold('fold') AS note FROM batch$$], replace_where => qq['$slice'] },
	operator => { mode => "'replace'", transform => q[$$SELECT id, at, note FROM batch WHERE EXISTS (SELECT FROM mallory.s WHERE note OPERATOR(mallory.===) 'one')$$], replace_where => qq['$slice'] },
	slice => { mode => "'replace'", replace_where => qq[\$\$$slice AND mallory.fold('slice') IS NOT NULL\$\$] },
	update => { mode => "'upsert'", update_where => q[$$mallory.fold('update') <> excluded.note$$] });
for my $name (sort keys %jobs)
{
	job($name, %{ $jobs{$name} });
	is($destination->safe_psql('postgres', "SET ROLE monitor; SELECT count(*) FROM copy_incremental_explain('$name', '2024-01-01') WHERE item IN ('error', 'missing privilege')"), 0, "explain, $name: no error");
	is($destination->safe_psql('postgres', "SET ROLE monitor; SELECT count(*) > 2 FROM copy_incremental_describe('$name')"), 't', "describe, $name: works");
	is(deeds(), '', "$name: nothing was run");
}
for my $function ('explain', 'describe', 'verify', 'verify_rows')
{
	my $window = $function eq 'describe' ? '' : ", '2024-01-01'";
	fails_with($destination, "SELECT * FROM copy_incremental_$function('transform'$window)", '42501', qr/permission denied for job "transform"\nHINT:  Use SET ROLE mallory/, "$function, by a superuser who is no member");
}
is(deeds(), '', 'nothing was run');
no_session_left($source, 'no session is left at the source');
done_testing();
