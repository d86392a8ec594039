const api = window.LEAFLINE_API || 'http://localhost:8000';

document.querySelector('#photo').addEventListener('change', async (event) => {
  const body = new FormData();
  body.append('photo', event.target.files[0]);
  const response = await fetch(`${api}/api/diagnose`, { method: 'POST', body });
  const { label, advice } = await response.json();
  document.querySelector('#answer').textContent = `${label}: ${advice}`;
});
