# makes `import finetune` and `import trainers` work in the tests: pytest puts this folder on sys.path
