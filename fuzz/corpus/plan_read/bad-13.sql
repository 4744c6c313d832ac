-- migrate:up
COPY t FROM STDIN;
