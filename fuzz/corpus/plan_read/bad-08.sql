-- migrate:up

SELEC 1;
