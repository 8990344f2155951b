# Mode replace: after its DELETE the slice is empty, whatever keeps rows; and the row that is stored outside of it is shown.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $port = $destination->port;
my $host = $destination->host;

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE sale (id int, at timestamptz, note text);
	INSERT INTO sale SELECT g, timestamptz '2018-07-29 10:00+00' + g * interval '1 hour', 'n' || g FROM generate_series(1, 3) AS g;
	SQL
$destination->safe_psql('postgres', <<~SQL);
	SET client_min_messages = error;
	CREATE ROLE loader;
	GRANT USAGE ON FOREIGN SERVER src TO loader;
	SELECT copy_incremental_grant('loader');
	CREATE USER MAPPING FOR loader SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
	CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER here;
	CREATE FUNCTION soft() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
	  EXECUTE format(''UPDATE %I.%I SET deleted = true WHERE id = \$1'', TG_TABLE_SCHEMA, TG_TABLE_NAME) USING OLD.id; RETURN NULL; END';
	CREATE FUNCTION keep_two() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF OLD.id = 2 THEN RETURN NULL; END IF; RETURN OLD; END';
	CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN EXECUTE format(''INSERT INTO %I.%I SELECT (\$1).*'', TG_TABLE_SCHEMA, TG_TABLE_NAME) USING OLD; RETURN NULL; END';
	CREATE FUNCTION put_all_back() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO sale SELECT * FROM old; RETURN NULL; END';
	CREATE FUNCTION add_three() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO sale SELECT id, at FROM sale; RETURN NULL; END';
	CREATE TABLE heard (id int);
	CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO heard VALUES (OLD.id); RETURN NULL; END';
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
	SQL

sub replace_sql
{
	my (%option) = @_;
	return copy_sql($option{query} // 'SELECT * FROM sale', exists $option{day} ? $option{day} : '2018-07-29', mode => "'replace'",
		target => "'sale'", time_zone => "'UTC'", batch => 2, exists $option{slice} ? (replace_where => $option{slice}) : (window_column => "'at'"),
		$option{method} ? (method => "'$option{method}'") : ());
}

sub results { return one_line($destination, 'default', @_); }

# Creates the target, and what else the case needs.
sub fresh
{
	my ($sql) = @_;
	$destination->safe_psql('postgres', <<~'SQL' . $sql);
		SET client_min_messages = error;
		DELETE FROM pgci_runs;
		DO $$DECLARE r record; BEGIN FOR r IN SELECT relname, relkind FROM pg_class WHERE relname IN ('sale', 'kept') AND relkind IN ('r', 'p', 'f', 'v') ORDER BY relname DESC LOOP
		  EXECUTE format('DROP %s %I CASCADE', CASE r.relkind WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, r.relname); END LOOP; END$$;
		DROP FUNCTION IF EXISTS put;
		SQL
	return;
}

my $table = 'CREATE TABLE sale (id int, at timestamptz, note text, deleted boolean NOT NULL DEFAULT false)';
my $kept = $table =~ s/sale/kept/r;
my $soft = 'CREATE TRIGGER soft BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION soft()';
my @cases = (
	[ 'a soft-delete trigger', "$table; " . sprintf($soft, 'sale'), 3, qr/trigger soft of public\.sale/ ],
	[ 'a trigger that keeps one row', "$table; CREATE TRIGGER keep BEFORE DELETE ON sale FOR EACH ROW EXECUTE FUNCTION keep_two()", 1,
		qr/trigger keep of public\.sale/ ],
	[ 'a trigger of a partition', "$table PARTITION BY RANGE (at); CREATE TABLE part PARTITION OF sale DEFAULT; " . sprintf($soft, 'part'), 3,
		qr/trigger soft of public\.part/ ],
	[ 'a rule', "$table; CREATE RULE soft AS ON DELETE TO sale DO INSTEAD UPDATE sale SET deleted = true WHERE id = OLD.id", 3,
		qr/rule soft of public\.sale/ ],
	[ 'a rule that does nothing', "$table; CREATE RULE soft AS ON DELETE TO sale DO INSTEAD NOTHING", 3, qr/rule soft of public\.sale/ ],
	[ 'a view with a trigger', "$kept; CREATE VIEW sale AS SELECT * FROM kept; CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS
	  'BEGIN INSERT INTO kept VALUES (NEW.id, NEW.at, NEW.note); RETURN NEW; END'; CREATE TRIGGER put INSTEAD OF INSERT ON sale FOR EACH ROW EXECUTE FUNCTION put();
	  CREATE TRIGGER stay INSTEAD OF DELETE ON sale FOR EACH ROW EXECUTE FUNCTION nothing()", 3, qr/trigger stay of public\.sale/ ],
	[ 'a view of a table with a trigger', "$kept; CREATE VIEW sale AS SELECT * FROM kept; " . sprintf($soft, 'kept'), 3, qr/trigger soft of public\.kept/ ],
	[ 'a foreign table', "$kept; " . sprintf($soft, 'kept') . '; ' . ($table =~ s/TABLE sale/FOREIGN TABLE sale/r =~ s/ NOT NULL DEFAULT false/ DEFAULT false/r)
		  . " SERVER here OPTIONS (table_name 'kept')", 3, qr/foreign table.*server that has its rows/ ],
	[ 'a partition that is a foreign table', "$kept; " . sprintf($soft, 'kept') . "; $table PARTITION BY RANGE (at); CREATE FOREIGN TABLE part PARTITION OF sale DEFAULT SERVER here OPTIONS (table_name 'kept')", 3,
		qr/foreign table.*server that has its rows/ ]);
for my $case (@cases)
{
	my ($name, $sql, $left, $hint) = @$case;
	for my $method ('cursor', $name =~ /trigger/ && $name !~ /view/ ? 'copy' : ())
	{
		fresh($sql);
		is(results(replace_sql(method => $method)), '3', "$name, $method: into an empty slice");
		my $said = fails_with($destination, replace_sql(method => $method), '44000', qr/DELETE of mode replace left $left rows? of the slice in public\.sale/, "$name, $method: 44000");
		like($said, qr/HINT:[^\n]*$hint/, "$name, $method: hint");
		is(results('SELECT count(*), count(*) FILTER (WHERE deleted) FROM sale'), '3|0', "$name, $method: nothing has changed");
	}
	my ($status, undef, $said) = $destination->psql('postgres', by_batches(replace_sql()), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($said, qr/44000/, "$name: the procedure");
	is(results('SELECT count(*), count(*) FILTER (WHERE deleted) FROM sale'), '3|0', "$name: the procedure: nothing has changed");
}

# A slice that leaves out what is kept, and triggers that keep nothing.
fresh("$table; " . sprintf($soft, 'sale'));
my $live = q['at >= $1 AND at < $2 AND NOT deleted'];
is(results(map { (replace_sql(slice => $live, query => 'SELECT * FROM sale WHERE at >= $1 AND at < $2'), 'SELECT count(*), count(*) FILTER (WHERE deleted) FROM sale') } 1, 2),
	'3 3|0 3 6|3', 'a slice without the rows that the trigger keeps');
fresh("$table; CREATE TRIGGER all_go BEFORE DELETE ON sale FOR EACH ROW EXECUTE FUNCTION nothing()");
is(results(map { (replace_sql(), 'SELECT count(*) FROM sale') } 1, 2), '3 3 3 3', 'a trigger that keeps no row');

# Triggers that fire after the INSERT.
my $back = 'CREATE TRIGGER back AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION put_back()';
for my $case ([ 'an AFTER trigger that inserts', "$table; " . sprintf($back, 'sale'), 'sale' ],
	[ 'an AFTER trigger of a partition', "$table PARTITION BY RANGE (at); CREATE TABLE part PARTITION OF sale DEFAULT; " . sprintf($back, 'part'), 'part' ],
	[ 'an AFTER trigger of a statement', "$table; CREATE TRIGGER back AFTER DELETE ON sale REFERENCING OLD TABLE AS old EXECUTE FUNCTION put_all_back()", 'sale' ])
{
	my ($name, $sql, $of) = @$case;
	for my $method ('cursor', 'copy')
	{
		fresh($sql);
		is(results(replace_sql(method => $method)), '3', "$name, $method: into an empty slice");
		fails_with($destination, replace_sql(method => $method), '44000', qr/slice in public\.sale has 6 rows after mode replace has written 3.*HINT:[^\n]*trigger back of public\.$of/s, "$name, $method: 44000");
		is(results('SELECT count(*) FROM sale'), '3', "$name, $method: nothing has changed");
	}
	my ($status, undef, $said) = $destination->psql('postgres', by_batches(replace_sql()), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($said, qr/44000/, "$name: the procedure");
	is(results('SELECT count(*) FROM sale'), '3', "$name: the procedure: nothing has changed");
}
fresh("$table; " . sprintf($back, 'sale'));
fails_with($destination, copy_sql('SELECT * FROM sale', undef, mode => "'replace'") . ';' . copy_sql('SELECT * FROM sale', undef, mode => "'replace'"), '44000',
	qr/public\.sale has 6 rows after mode replace has written 3/, 'an AFTER trigger that inserts: a whole table');
fresh("$table; CREATE TRIGGER add BEFORE DELETE ON sale EXECUTE FUNCTION add_three()");
is(results(replace_sql()), '3', 'a BEFORE trigger of the statement: into an empty slice');
fails_with($destination, replace_sql(), '44000', qr/left 3 rows.*HINT:[^\n]*trigger add of public\.sale/s, 'a BEFORE trigger of the statement that inserts');
fresh("$table; TRUNCATE heard; CREATE TRIGGER heard AFTER DELETE ON sale FOR EACH ROW EXECUTE FUNCTION note_it()");
is(results(map { (replace_sql(), 'SELECT count(*) FROM sale') } 1, 2), '3 3 3 3', 'an AFTER trigger that writes elsewhere');
is(results('SELECT count(*) FROM heard'), '3', 'an AFTER trigger that writes elsewhere: it fires');

# A whole table.
fresh("$table; " . sprintf($soft, 'sale'));
my $whole = copy_sql('SELECT * FROM sale', undef, mode => "'replace'");
is(results($whole), '3', 'a whole table: when it is empty');
fails_with($destination, $whole, '44000', qr/left 3 rows of public\.sale/, 'a whole table: 44000');
for my $case ([ 'nothing keeps rows', '', qr/^3$/ ], [ 'a trigger may', '; CREATE TRIGGER keep BEFORE DELETE ON sale FOR EACH ROW EXECUTE FUNCTION keep_two()', qr/permission denied for table sale/ ])
{
	my ($name, $more, $want) = @$case;
	fresh("$table$more; GRANT INSERT, DELETE ON sale TO loader");
	like(results('SET ROLE loader', $whole), $want, "a whole table that the role may not read: $name");
}

no_session_left($source, 'no session is left at the source');
done_testing();
